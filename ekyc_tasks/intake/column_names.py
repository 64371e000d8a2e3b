"""What the name of a column says about phone numbers, in the languages of those who write such tables."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache

LONGEST_NAME = 80  # characters; what is longer is a sentence


class Kind(Enum):
    """``ASIDE``: numbers of somebody or something else, read only when named. ``OTHER``: surely no number
    to call, such as an identifier, a date or the type of a phone. ``PLAIN``: the name says nothing."""

    SURE = "surely phone numbers"
    VAGUE = "perhaps phone numbers"
    ASIDE = "numbers to be read only when named"
    OTHER = "something else"
    PLAIN = "anything"


# All words below are written as `_fold` leaves them: small letters, no accents on Latin or Cyrillic ones.
# A pattern between \b is a whole word; one without stands anywhere, as in Telefonnummer or 手机号码.
_PHONE = r"""
    (?<!micro)(?<!head)(?<!xylo)(?<!saxo)(?<!gramo)(?<!\bi)(?<!\bi\ )phone(?!t|book) | \b tele?f(?!ax)
    | telefon | telep[ho] | telemo[vb] | \b tel(?:s|n[ro]|no|num\w*|cel|p)? \b | \b tlf[nx]? \b
    | \b telf | msisdn | \b e_?164 \b | \b e\ 164 \b
    |\b mobi(?:le?|el|les|ele|lnr|lno|lnum\w*|lfunk\w*|ltel\w*|ltlf|lruf\w*|lni|lny|lne|la
      |lephone\w*|lin?)? (?:no|nr|num\w*|number)? \b | \b mob \b
    | \b cel(?:l|ular(?:es)?|lulare|lulari|lno|lnum\w*)? \ (?:no|nr|num\w*|phone\w*|tel\w*) \b
    | \b celul | \b cellul | \b movil | \b gsm | handy(?:nummer|nr|s)? \b | rufnummer | rufnr
    | festnetz | \b fo(?:no|ne)s? \b | \b whats | \b wa \ (?:id|no|num\w*|nomor) \b
    | \b no(?:mor)? \ wa \b | \b (?:no|num|numero|n|tel) \ (?:de \ )?portable \b
    | \b (?:cep|ceptel) \ (?:no|num\w*|tel\w*) \b | \b (?:no|nomor|nomer|num) \ hp \b
    | \b hp \ (?:no|nomor) \b | ponsel | \b ph \ (?:no|num\w*) \b | \b contact \ (?:no|num|numbers?) \b
    | kontaktnummer | \b numero \ de \ contact[oe]? \b | dien \ ?thoai | \b s[od]t \b | \b so \ dt \b
    | \b di \ dong \b | komork | puhelin | \b simu \b | телеф | \b тел \b | \b моб | мобильн | мобилн
    | мобільн | сотов | \b ватсап | \b вотсап | \b вацап | τηλεφων | κινητ | 手机 (?!型|品牌|类型)
    | 手機 (?!型|品牌|類型) | 电话 | 電話 | 移动号 | 座机 | 座機 | 携帯 | ケータイ | スマホ
    | テレフォン | モバイル | 전화 | 휴대폰 | 핸드폰 | 휴대전화 | 모바일 | 폰번호 | هاتف | جوال
    | موبايل | محمول | تليفون | تلفون | تلفن | موبایل | همراه | نقال | واتس | فون | फोन | मोबाइल
    | मोबाईल | दूरभाष | व्हाट्स | संपर्क \ (?:नंबर|संख्या) | ফোন | মোবাইল | โทรศัพท์ | มือถือ
    | เบอร์โทร | טלפון | נייד | 폰 \b
"""
_PHONE_ALONE = frozenset(
    [
        "cell",
        "cel",
        "fono",
        "gsm",
        "handy",
        "jid",
        "jids",
        "portable",
        "ph",
        "wa",
        "cep",
        "hp",
        "mobil",
        "tel",
    ]
)
# Numbers of other people or machines beside the one that the row is about.
_ASIDE = r"""
    \b fax | telefax | telecop | факс | 传真 | 傳真 | ファクス | ファックス | 팩스 | فاكس | فکس | फैक्स
    | \b faks | \b pager | emergenc | emergen[cz] | notfall | \b urgenc | экстрен | 紧急 | 緊急 | طوارئ
    | आपात | darurat | khan \ cap | \b acil | 비상 | 긴급 | \b spouse | \b husband | \b wife
    | ehe(?:partner|gatt|frau|mann) | conjoint | conyuge | conjuge | coniuge | \b espos[oa] | супруг
    | 配偶 | زوج | पति \b | पत्नी | pasangan | \b suami | \b istri | vo \ chong | \b es \b | 배우자
    | \b assist | sekret | secret[ai] | помощник | секретар | 助理 | 秘书 | 秘書 | مساعد | سكرتير
    | सहायक | \b asist | tro \ ly | アシスタント | 비서 | \b asistan | \b agent | \b agen \b
    | \b makler | \b broker | courtier | corret[oe]r | агент | 代理 | وكيل | एजेंट | dai \ ly | acente
    | エージェント | 대리 | 에이전트 | \b refer(?:ence|ee|enz|encia|ensi|ans|rer|ral) | riferiment
    | рекоменд | поручител | 推荐 | 推薦 | 参考人 | مرجع | संदर्भ | tham \ chieu | 참조 | 추천
    | guarantor | \b kin \b
"""
# What is said of a phone or its number, and is none.
_ATTRIBUTE = r"""
    \b (?:types?|typ|typen|tipos?|jenis|loai|tur|turu|label|etiquette|model\w*|modell\w*|modele
      |brand|marke|marque|marca|country|land|pays|pais|paese|codes?|kodu|indicatif|vorwahl\w*
      |prefix\w*|verified|verification|status|state|estado|stato|carrier|operator\w*|operateur
      |provider|anbieter|network|consent|opt|optin|optout|date|datum|fecha|data|time|at|count|anzahl
      |hash|md5|sha\d*|valid\w*|is|has|plan|tariff?|price|cost|device|os|imei|imsi|iccid|app|version
      |comment|notes?|notiz\w*|ext|extension|timezone|zone|format|permission|dnc|donotcall|calls?
      |minutes|owner|name|email|mail|address|city|url|link|picture|preference|order|index|rank
      |source|quality|score|reason|flag)\b | 类型 | 類型 | 型号 | 型號 | 品牌 | 种类 | 種類 | 国家
    | 國家 | 归属 | 运营商 | 状态 | 状態 | 機種 | 종류 | 유형 | 기종 | 통신사 | نوع | प्रकार | \b тип
    | модел | марка | бренд | страна | оператор | статус | \b код \b | дата
    | \b (?:bills?|charges?|costs?|fees?|budget|contract\w*|usage|insurance|allowance|manufacturer)\b
    | \B (?:kosten|rechnung|vertrag|tarif|anbieter|typ\b|modell|marke|hersteller|gebuhr|notiz|bemerkung
      |konferenz|termin|zeit|dauer|guthaben|vorwahl|geraet|gerat|budget|verbrauch|protokoll|gesprach
      |regning|rekening|abonn|status)
    | \b factur(?:es?|as?) \b | \b fattur[ae] \b | \b faturas? \b | \b gastos? \b
    | \b depens | \b spes[ae] \b | \b custos? \b | \b contrat | расход | тариф | договор | 费 | 費
    | 套餐 | 料金 | 契約 | 요금 | 계약 | فاتورة | عقد | बिल
"""
_IDENTIFIER = r"""
    \b (?:ids?|uuid|guid|key|keys|no\ de\ client|date|datum|fecha|time|timestamp|created|updated
      |birth\w*|dob|zip|plz|postal|postcode|cep|amount|betrag|price|balance|total|sum|qty|quantity
      |age|year|lat|lon|lng|latitude|longitude|imei|imsi|iccid|ip|serial|sku|ean|isbn|barcode|ssn
      |vat|ust\w*|cpf|cnpj|nif|dni|rfc|curp|nik|nip|pesel|aadhaar|pan|card|karte|policy|case|ticket
      |user|member|student|patient|employee|row|index|line|code|hash|iban|bic|tin|cccd|cmnd|mst|tckn
      |kimlik|url|score|rank|version)\b | \b record | \b order | custom | kunde | client | account
    | konto(?!kt) | steuer | rechnung | bestell | vertrag | contract | mitglied | invoice | passport
    | pasaport | \b tax | identi | license | licence | клиент | заказ | сч[её]т | договор | \b инн \b
    | снилс | паспорт | \b дата | индекс | 身份 | 证件 | 證件 | 客户 | 客戶 | 订单 | 訂單 | 账号 | 账户
    | 帳號 | 会员 | 會員 | 编号 | 編號 | 纳税 | 税号 | 日期 | 顧客 | 注文 | 口座 | 郵便 | 고객 | 주문
    | 계좌 | 주민 | 우편 | العميل | حساب | الهوية | هوية | جواز | ग्राहक | खाता | आधार | pelanggan
    | rekening | \b ktp | khach \ hang | tai \ khoan | musteri | hesap | siparis
"""
_VAGUE = r"""
    \b (?:num|nums|numbers?|nummern?|nr|numeros?|nomor|nomer|numara\w*|numeri|contacts?|kontakte?
      |contactos?|contatt[io]|contatos?)\b | \b so \b | номер | контакт | 号码 | 號碼 | 番号 | 번호
    | 연락처 | 联系 | 聯絡 | 連絡先 | رقم | نمبر | شماره | नंबर | संपर्क | lien \ he
"""


_COUNTRY = r"""
    countr(?:y|ies) | \b land(?:code|nummer)? \b | land(?:es|er)(?:code|kennzahl|kurzel|name|kennung)
    | laendercode | \b pays \b | \b pais \b | \b paese \b | \b nazione \b | \b nation \b | стран[аы]\b
    | \b краін[аи] \b | \b kraj(?:u)? \b | 国家 | 國家 | 国别 | 國別 | 国コード | 国名 | \b 国 \b
    | \b cc \b | \b (?:ctry|cntry) \b | \b iso(?:2|3|\ ?code|\ ?alpha\ ?[23])? \b
    | \b (?:market|geo|territory) \b
    | 국가 | 나라 | دولة | بلد | \b देश \b | negara | quoc \ gia | \b ma \ nuoc \b | \b ulke(?:si)? \b
"""
# Of a number, not of a person.
_CALLING_CODE = r"""
    \b dial(?:l?ing)? \ ?(?:code|prefix) | \b (?:calling|isd) \ ?code | \b international \ (?:code|prefix)
    | land(?:es|er)vorwahl | laendervorwahl | indicatif \ (?:pays|du\ pays|international)
    | (?:prefijo|prefisso|prefixo) \ (?:internac?z?ional|internacional|pais|de\ pais|paese) | \b ddi \b
    | 国际区号 | 國際區號 | 國碼 | 国码 | 国番号 | 국가번호
"""
_PREFIX = r"""
    \b prefix \b | vorwahl | \b indicatif \b | \b prefijo \b | \b prefisso \b | \b prefixo \b | 区号 | 區號
    | \b (?:phone|tel|mobile) \ code \b | \b area \ ?code | \b std \ ?code | \b ddd \b | код \ города
    | 市外局番 | 지역번호 | \b kode \ area | \b alan \ kodu | \b ma \ vung
"""
# Countries that say nothing about a phone of today, and numbers of countries that are no calling codes.
_ELSEWHERE = r"""
    birth | \b born | origin | gebor | geburt | naissance | nacim | nascim | nascita | рожд | 出生 | herkunft
    | \b origen | passport | \b visa \b | \b bank | \b iban | currenc | \b tax | \b ip \b | \b ids? \b
    | \b num(?:eric)? \b | \b issu | previous | former
"""


def _compile(words: str) -> re.Pattern[str]:
    return re.compile(words, re.VERBOSE)


_IS_PHONE, _IS_ASIDE, _IS_ATTRIBUTE, _IS_IDENTIFIER, _IS_VAGUE = map(
    _compile, (_PHONE, _ASIDE, _ATTRIBUTE, _IDENTIFIER, _VAGUE)
)
_IS_COUNTRY, _IS_CALLING_CODE, _IS_PREFIX, _IS_ELSEWHERE = map(
    _compile, (_COUNTRY, _CALLING_CODE, _PREFIX, _ELSEWHERE)
)


@lru_cache(maxsize=4096)
def kind_of(title: str) -> Kind:
    """What a cell says, read as the name of a column."""
    if len(title) > LONGEST_NAME:
        return Kind.PLAIN
    words = _words_of(title)
    words = words.replace("whats app", "whatsapp")
    is_phone = words in _PHONE_ALONE or bool(_IS_PHONE.search(words))
    if _IS_ASIDE.search(words):
        return Kind.ASIDE
    if is_phone:
        return Kind.OTHER if _IS_ATTRIBUTE.search(words) or _is_bare_id(words) else Kind.SURE
    if _IS_IDENTIFIER.search(words) or _IS_ATTRIBUTE.search(words):
        return Kind.OTHER
    return Kind.VAGUE if _IS_VAGUE.search(words) else Kind.PLAIN


class CountryKind(Enum):
    """``NUMBER``: the country of the number itself. ``PREFIX``: its calling code, or the code of an area."""

    NUMBER = "calling codes of numbers"
    PLACE = "countries"
    PREFIX = "calling codes or area codes"
    NONE = "anything else"


@lru_cache(maxsize=4096)
def country_kind_of(title: str) -> CountryKind:
    """What the name of a column says about countries."""
    words = _words_of(title)
    if len(title) > LONGEST_NAME or _IS_ASIDE.search(words) or _IS_ELSEWHERE.search(words):
        return CountryKind.NONE
    is_country = bool(_IS_COUNTRY.search(words))
    if _IS_CALLING_CODE.search(words) or (is_country and _IS_PHONE.search(words)):
        return CountryKind.NUMBER
    if is_country:
        return CountryKind.PLACE
    return CountryKind.PREFIX if _IS_PREFIX.search(words) else CountryKind.NONE


def comparable(title: str) -> str:
    """Equal for names that a person takes for the same; empty for one without a letter or a digit."""
    return _fold(title).replace(" ", "_")


def stem_of(title: str) -> str:
    """The same for columns that differ in a number only: Phone 1 - Value, Phone 2 - Value."""
    words = [re.sub(r"(?<=\D)\d{1,2}$", "", word) for word in _fold(title).split() if not word.isdigit()]
    return " ".join(words) or _fold(title)


def _words_of(title: str) -> str:
    return _fold(re.sub("(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", title)))


def _is_bare_id(words: str) -> bool:
    """``whatsapp id`` is a number, ``phone id`` is not."""
    return bool(re.search(r"\bids?\b", words)) and not re.search(r"\b(?:whats\w*|wa)\b", words)


def _fold(title: str) -> str:
    """Letters, digits and their marks as words: without case, width, accents and everything else."""
    plain = unicodedata.normalize("NFKC", title).casefold().replace("đ", "d").replace("ı", "i")
    apart = unicodedata.normalize("NFKD", plain)
    bare = unicodedata.normalize("NFC", "".join(each for each in apart if not _is_accent(each)))
    return " ".join("".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in bare).split())


def _is_accent(character: str) -> bool:
    """Accents of Latin, Greek and Cyrillic letters, and the dot that Hindi sets under some."""
    return "\u0300" <= character <= "\u036f" or character == "\u093c"
