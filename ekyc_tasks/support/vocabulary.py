"""How the columns and words of results are called in the large languages, beside the documented names; and
what columns of landed files are called, as far as it tells an encoding.

Each list begins with what can only mean the thing; of several columns of one header, the first name counts.
A word that says yes in one language and no in another is in neither list.
"""

from __future__ import annotations

import re
import unicodedata

DOT_ABOVE = "\u0307"  # what is left of the Turkish İ as a small letter
_DOTLESS, _LATIN = str.maketrans("ı", "i"), str.maketrans("ıđ", "id")


def fold(text: str) -> str:
    """As texts are compared: full-width letters are like others, and capitals like small ones."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace(DOT_ABOVE, "")


def _names(text: str) -> tuple[str, ...]:
    """Each once: as written, as its capitals become small again, and without accents, as many type."""
    named = [name.strip() for name in re.split(r"[,\n]", text) if name.strip()]
    dotted = (name.translate(_DOTLESS) for name in named)
    return tuple(dict.fromkeys([*named, *dotted, *map(_without_accents, named)]))


def _without_accents(name: str) -> str:
    """Of Latin letters only: without its marks, a word of another script is another word."""
    signs = unicodedata.normalize("NFD", name.translate(_LATIN))
    plain = "".join(sign for sign in signs if not unicodedata.combining(sign))
    return plain if plain.isascii() else name


# --- names of columns -------------------------------------------------------------------------------------

NUMBERS = _names("""
    phone number, mobile number, mobile phone, cell phone, cell number, telephone, telephone number, cell
    手机号, 手机号码, 电话号码, 联系电话, 移动电话, 手机, 电话, 手機號碼, 手機號
    電話號碼, 聯絡電話, 手機, 電話
    Telefonnummer, Rufnummer, Handynummer, Mobilnummer, Mobiltelefon, Telefon, Handy
    numéro de téléphone, téléphone, téléphone portable, numéro de portable, portable
    número de teléfono, teléfono, teléfono móvil, número de celular, celular, móvil
    número de telefone, telefone, telemóvel, número de telemóvel
    numero di telefono, telefono, cellulare, numero di cellulare
    номер телефона, телефон, мобильный телефон, мобильный, номер мобильного
    رقم الهاتف, الهاتف, هاتف, رقم الجوال, الجوال, رقم الموبايل, الموبايل
    फ़ोन नंबर, फोन नंबर, मोबाइल नंबर, फ़ोन, फोन, मोबाइल, दूरभाष
    nomor telepon, telepon, nomor hp, no hp, nomor ponsel, ponsel
    số điện thoại, điện thoại, số di động, sđt
    telefon numarası, cep telefonu, telefon
    電話番号, 携帯電話番号, 携帯番号, 携帯電話, 携帯
    전화번호, 휴대폰 번호, 휴대폰번호, 휴대전화, 휴대폰, 핸드폰, 전화
    号码, 號碼, Nummer, numéro, número, numero, номер, الرقم, رقم, नंबर, nomor, số, numara, 番号, 번호
""")
VERDICTS = _names("""
    is registered, registration, registration status, is activated, exists, valid, is valid, has account
    是否注册, 是否已注册, 注册状态, 是否激活, 是否已激活, 激活状态, 是否开通, 开通状态, 是否有效, 是否存在
    注册, 激活, 是否註冊, 是否已註冊, 註冊狀態, 是否啟用, 是否開通, 註冊
    registriert, ist registriert, angemeldet, aktiviert, gültig, existiert
    inscrit, enregistré, valide, existe
    registrado, está registrado, activado, válido
    registado, cadastrado, ativado
    registrato, attivato, valido, esiste
    зарегистрирован, регистрация, активирован, действителен, существует
    مسجل, التسجيل, مفعل, صالح, موجود
    पंजीकृत, पंजीकरण, मान्य
    terdaftar, pendaftaran
    đã đăng ký, đăng ký, kích hoạt, hợp lệ
    kayıtlı, kayıt durumu, geçerli
    登録, 登録済み, 登録状況, 登録の有無, 有効
    등록, 등록 여부, 등록여부, 가입 여부, 가입여부, 유효
""")
AVATARS = _names("""
    avatar url, avatar link, profile picture, profile photo
    头像, 头像链接, 头像地址, 頭像, 頭像連結, Profilbild, photo de profil, foto de perfil, foto do perfil
    foto profilo, foto del profilo, immagine del profilo, аватар, аватарка, фото профиля
    الصورة الشخصية, صورة الملف الشخصي, प्रोफ़ाइल फ़ोटो, प्रोफाइल फोटो, अवतार, foto profil, ảnh đại diện
    profil fotoğrafı, profil resmi, アバター, プロフィール画像, プロフィール写真, 아바타, 프로필 사진
""")
AGES = _names("""
    年龄, 年齡, 年齢, Alter, âge, edad, idade, età, возраст, العمر, عمر, आयु, उम्र, usia, umur
    tuổi, yaş, 나이, 연령
""")
GENDERS = _names("""
    sex, 性别, 性別, Geschlecht, sexe, genre, sexo, género, gênero, sesso, genere, пол, الجنس, जेंडर, लिंग
    jenis kelamin, giới tính, cinsiyet, 성별
""")
CATEGORIES = _names("""
    类别, 分类, 头像类别, 头像类型, 類別, 分類, Kategorie, catégorie, categoría, categoria, категория
    الفئة, فئة, श्रेणी, kategori, danh mục, カテゴリ, カテゴリー, 카테고리, 분류
""")
HAIR_COLORS = _names("""
    发色, 头发颜色, 髮色, 頭髮顏色, Haarfarbe, couleur des cheveux, couleur de cheveux, color de pelo
    color del pelo, color de cabello, color del cabello, cor do cabelo, cor dos cabelos, colore dei capelli
    цвет волос, لون الشعر, बालों का रंग, warna rambut, màu tóc, saç rengi, 髪の色, 髪色, 머리 색, 머리색
""")
SKIN_COLORS = _names("""
    肤色, 皮肤颜色, 膚色, 皮膚顏色, Hautfarbe, couleur de peau, couleur de la peau, color de piel
    color de la piel, cor da pele, colore della pelle, цвет кожи, لون البشرة, त्वचा का रंग, warna kulit
    màu da, ten rengi, cilt rengi, 肌の色, 皮膚の色, 피부색, 피부 색
""")
STATUSES = _names("""
    activity status, is active, 活跃状态, 是否活跃, 活躍狀態, 是否活躍, Aktivitätsstatus, statut d'activité
    estado de actividad, estado de atividade, stato di attività, статус активности, активность
    حالة النشاط, सक्रियता, status aktif, trạng thái hoạt động, aktiflik durumu, アクティブ状態, 활성 상태
""")
DAYS = _names("""
    days, 活跃天数, 天数, 活躍天數, 天數, Tage, jours, días, dias, giorni, дни, количество дней, الأيام, दिन
    hari, ngày, số ngày, gün, 日数, 일수
""")
# What stands beside the numbers of people; for encodings alone.
_PEOPLE = _names("""
    姓名, 名字, 客户, 地址, 城市, 省份, 国家, 日期, 备注, 邮箱, 编号, 身份证号, 公司, 序号
    客戶, 國家, 備註, 郵箱, 編號, 身分證號, 序號, 縣市, 生日
    Schlüssel, Straße, Länder, Geschäft, Vorname und Name, Kunden-Nr, Größe
    prénom, société, adresse électronique, numéro client, année, région, pays d'origine
    apellido y nombre, dirección, código, código postal, país, compañía, número de cliente, año
    endereço, cidade e país, código do cliente, observação, observações, município, sobrenome
    città, società, qualità
    имя, фамилия, отчество, фио, имя и фамилия, адрес, город, страна, дата, дата рождения, инн, клиент
    компания, почта, примечание, комментарий, область
    الاسم, اسم, الاسم الكامل, العنوان, المدينة, الدولة, البلد, التاريخ, ملاحظات, البريد الإلكتروني, العميل
    adı, adı soyadı, soyadı, adresi, şehir, ülke, müşteri, müşteri no, açıklama, doğum tarihi
    氏名, 名前, お名前, 住所, 会社名, 会社, 日付, 備考, 顧客番号, 番号id, フリガナ, 都道府県, 国
    이름, 성명, 성함, 주소, 회사, 날짜, 비고, 고객번호, 주문번호, 도시, 국가, 이메일
    jméno, příjmení, jméno a příjmení, město, země, telefonní číslo, číslo, poznámka, zákazník, zákazník id
    imię, imię i nazwisko, miasto i państwo, państwo, numer zamówienia, vezetéknév, keresztnév, név, cím
    telefonszám, város, ország, megjegyzés, număr de telefon, prenume și nume, oraș, țară
    telefónne číslo, priezvisko, krajina a mesto, številka, država, telefonska številka, prezime
""")

# --- words in cells ---------------------------------------------------------------------------------------

YES = _names("""
    yes, true, 1, y, registered, activated, valid, exists, exist, found
    是, 已注册, 已激活, 已开通, 有效, 存在, 已註冊, 已啟用, 已開通
    ja, registriert, angemeldet, aktiviert, gültig, vorhanden, existiert
    oui, vrai, inscrit, enregistré, valide, existe
    sí, verdadero, registrado, activado, válido
    sim, verdadeiro, registado, cadastrado, ativado
    sì, vero, registrato, attivato, esiste
    да, зарегистрирован, активирован, действителен, существует
    نعم, مسجل, مفعل, صالح, موجود
    हाँ, हां, पंजीकृत, मान्य
    ya, terdaftar
    có, đã đăng ký, hợp lệ
    evet, kayıtlı, geçerli, var
    はい, 登録済み, 登録済, 有効
    예, 네, 등록됨, 가입됨, 유효
""")
NO = _names("""
    no, false, 0, n, unregistered, not registered, non registered, unactivated, not activated
    invalid, not valid, not exists, not exist, does not exist, nonexistent, non existent, not found
    否, 未注册, 未激活, 未开通, 无效, 不存在, 未註冊, 未啟用, 未開通, 無效
    nein, nicht registriert, nicht angemeldet, nicht aktiviert, ungültig, nicht vorhanden, existiert nicht
    non, faux, non inscrit, non enregistré, pas inscrit, invalide, non valide, n'existe pas
    falso, no registrado, no activado, inválido, no válido, no existe
    não, não registrado, não registado, não cadastrado, não ativado, não existe
    non registrato, non attivato, non valido, non esiste
    нет, не зарегистрирован, не активирован, недействителен, не существует
    لا, غير مسجل, غير مفعل, غير صالح, غير موجود
    नहीं, अपंजीकृत, अमान्य
    tidak, tidak terdaftar, belum terdaftar, tidak valid
    không, chưa đăng ký, không hợp lệ
    hayır, kayıtlı değil, kayıtsız, geçersiz, yok
    いいえ, 未登録, 無効
    아니오, 아니요, 미등록, 미가입, 무효
""")
UNKNOWN = _names("""
    未知, 不确定, 不確定, unbekannt, inconnu, desconocido, desconhecido, sconosciuto, неизвестно, غير معروف
    अज्ञात, tidak diketahui, không xác định, bilinmiyor, 不明, 알 수 없음
""")
MALE = _names("""
    男, 男性, männlich, mann, homme, masculin, hombre, masculino, homem, uomo, maschio, мужской, мужчина
    ذكر, पुरुष, pria, laki laki, nam, erkek, 남, 남성, 남자
""")
FEMALE = _names("""
    女, 女性, weiblich, frau, femme, féminin, mujer, femenino, mulher, feminino, donna, femmina, женский
    женщина, أنثى, महिला, स्त्री, wanita, perempuan, nữ, kadın, 여, 여성, 여자
""")
ACTIVE = _names("""
    活跃, 活躍, aktiv, actif, activo, ativo, attivo, активен, активный, نشط, सक्रिय, aktif, hoạt động
    アクティブ, 활성
""")
INACTIVE = _names("""
    不活跃, 不活躍, inaktiv, nicht aktiv, inactif, inactivo, inativo, inattivo, non attivo, неактивен
    неактивный, غير نشط, निष्क्रिय, tidak aktif, không hoạt động, aktif değil, 非アクティブ, 비활성
""")

# What tells a text's encoding where little else does.
FAMILIAR = frozenset(
    fold(word)
    for words in (
        *(NUMBERS, VERDICTS, AVATARS, AGES, GENDERS, CATEGORIES, HAIR_COLORS, SKIN_COLORS, STATUSES, DAYS),
        *(YES, NO, UNKNOWN, MALE, FEMALE, ACTIVE, INACTIVE, _PEOPLE),
    )
    for word in words
)
