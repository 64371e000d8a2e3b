"""What the names of columns say, in the languages of those who write them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.intake.column_names import Kind, comparable, kind_of, stem_of

SURE = {
    "English": "phone|Phone Number|PhoneNumber|Mobile No.|cell phone|Cell|contact number|Telephone|MSISDN",
    "WhatsApp": "WhatsApp|WhatsApp ID|wa_id|JID|Celular (WhatsApp)",
    "German": "Telefon|Telefonnummer|Tel.-Nr.|Handy|Handynummer|Mobilfunknummer|Rufnummer|Festnetz",
    "French": "Téléphone|Numéro de téléphone|Portable|N° portable|Tél. mobile|GSM",
    "Spanish": "Teléfono|TELÉFONO|Móvil|Celular|Número de celular",
    "Portuguese": "Telefone|Telemóvel|Celular|Fone",
    "Italian": "Telefono|Cellulare|Numero di telefono|Cell.",
    "Russian": "Телефон|ТЕЛЕФОН|Номер телефона|Мобильный|Моб. телефон|Сотовый|Тел.",
    "Chinese": "手机|手机号|手机号码|手機號碼|电话|电话号码|联系电话|移动电话",
    "Japanese": "電話番号|携帯電話|携帯番号|ＴＥＬ",
    "Korean": "전화번호|휴대폰|휴대폰 번호|핸드폰|휴대전화",
    "Arabic": "هاتف|رقم الهاتف|الجوال|رقم الجوال|موبايل",
    "Hindi": "फ़ोन|फोन नंबर|मोबाइल|मोबाइल नंबर|दूरभाष",
    "Indonesian": "Telepon|Nomor Telepon|No. HP|Nomor HP|No Telp|Nomor WA|Ponsel",
    "Vietnamese": "Điện thoại|Số điện thoại|SĐT|Di động",
    "Turkish": "Cep Telefonu|Cep No|Telefon numarası|GSM No|TELEFON NUMARASI",
    "others": "Nr telefonu|Puhelinnumero|Telefoonnummer|Mobiel|Τηλέφωνο|tlf|โทรศัพท์|טלפון|شماره همراه",
    "of tables": "E.164|Phone 1 - Value|contact.phone|phones.number|手机号1|customer_phone|User phone",
}


@pytest.mark.parametrize("language", SURE)
def test_names_of_phone_columns(language):
    titles = SURE[language].split("|")
    assert [title for title in titles if kind_of(title) is not Kind.SURE] == []


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        (Kind.VAGUE, "number|Nummer|номер|号码|Kontakt|numbers"),
        (
            Kind.ASIDE,
            "Fax|Telefax|传真|Emergency Phone|Notfalltelefon|紧急联系电话|Spouse phone|Assistant Phone",
        ),
        (Kind.ASIDE, "Agent|Agent mobile|Reference number|Téléphone d'urgence|Факс|Fax phone"),
        (Kind.OTHER, "id|Record ID|customer_id|Kundennummer|Account|ИНН|身份证号|Steuer-ID|created_at|PLZ"),
        (Kind.OTHER, "phone_type|Phone 1 - Type|Phone model|手机型号|Phone verified|Mobile carrier|phone_id"),
        (
            Kind.OTHER,
            "Phone country|Phonetic First Name|iPhone model|phone bill|Mobile contract|Téléphone facture",
        ),
        (
            Kind.OTHER,
            "Gastos de teléfono|Spese telefono|Fatura telefone|Расходы на телефон|电话费|手机套餐",
        ),
        (Kind.PLAIN, "whatever|Immobilien Muster AG|automobile|Телевизор|telegram|Hotel|microphone|Bob|x"),
    ],
)
def test_names_of_other_columns(kind, titles):
    assert {title: kind_of(title) for title in titles.split("|")} == dict.fromkeys(titles.split("|"), kind)


@pytest.mark.parametrize("head", ["Telefon", "Handy", "Mobilfunk", "Mobiltelefon", "Festnetz"])
@pytest.mark.parametrize(
    "tail", ["kosten", "rechnung", "vertrag", "tarif", "anbieter", "typ", "modell", "vorwahl", "guthaben"]
)
def test_what_a_compound_ends_with_is_what_it_names(head, tail):
    assert kind_of(head + tail) is Kind.OTHER


@given(st.sampled_from("|".join(SURE.values()).split("|")), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_how_a_name_is_written_does_not_matter(title, form):
    for written in (unicodedata.normalize(form, title), f" {title}: ", title.upper(), f"“{title}”"):
        assert kind_of(written) is Kind.SURE
    assert comparable(unicodedata.normalize(form, title)) == comparable(title) != ""


@pytest.mark.parametrize(
    ("one", "other"), [("手机号", "身份证号"), ("Телефон", "ИНН"), ("फोन", "नाम"), ("phone", "phone 2")]
)
def test_other_names_are_others(one, other):
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize("title", ["", " ", "---", "№", "…"])
def test_a_name_without_a_letter(title):
    assert kind_of(title) in {Kind.PLAIN, Kind.VAGUE}


def test_columns_that_differ_in_a_number_only():
    assert len({stem_of(title) for title in ("Phone", "Phone 2", "phone_3", "PHONE4")}) == 1
    assert stem_of("Phone 1 - Value") == stem_of("Phone 12 - Value") != stem_of("Mobile 1 - Value")
    assert stem_of("e164") == "e164"
