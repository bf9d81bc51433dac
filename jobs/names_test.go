package jobs

import (
	"strings"
	"testing"
	"unicode"
)

// TestNames: what a column is taken for when nothing but its name is known.
func TestNames(t *testing.T) {
	for want, names := range map[string][]string{
		"email": {
			"email", "E-Mail", "e_mail", "EMAIL_ADDRESS", "emailAddress", "customerEmail", "CustomerEMail", "customeremail",
			"email1", "email_2", "Primary Email", "work.email", "emails", "mail", "email id", "E-Mail-Adresse", "Mailadresse",
			"correo", "Correo electrónico", "correo_electronico", "dirección de correo", "courriel", "adresse mail",
			"Adresse e-mail", "courrier électronique", "e-post", "epost", "E-postadress", "sähköposti", "Sähköpostiosoite",
			"电子邮件", "邮箱", "电子邮箱地址", "客户邮箱", "電子郵件", "メール", "メールアドレス", "お客様メールアドレス", "Eメール",
			"이메일", "이메일 주소", "почта", "Эл. почта", "электронная почта", "e-posta", "eposta adresi", "indirizzo email",
			"Posta elettronica", "endereço de e-mail", "poczta elektroniczna", "ｅｍａｉｌ", "alt_email", "backupEmail", "ηλεκτρονικό ταχυδρομείο",
		},
		"phone": {
			"phone", "Phone Number", "phoneNumber", "PHONE_1", "mobile", "mobilePhone", "Mobile No.", "cell", "cell phone",
			"cellphone", "msisdn", "MSISDN", "tel", "Tel.", "tel_nr", "homeTel", "Telefon", "Telefonnummer", "Handy", "Handynummer",
			"Mobilnummer", "mobil", "Rufnummer", "teléfono", "Teléfono móvil", "movil", "celular", "Téléphone portable",
			"portable", "numéro de téléphone", "gsm", "telefone", "telemóvel", "cellulare", "numero di cellulare", "telefoon",
			"mobiel nummer", "puhelin", "Puhelinnumero", "telefonu numarası", "cep telefonu", "电话", "手机", "手机号码", "客户电话", "電話番号",
			"携帯", "携帯電話", "전화", "전화번호", "휴대폰 번호", "телефон", "Мобильный телефон", "номер телефона", "phone_e164", "τηλέφωνο",
		},
		"email_hash": {
			"hem", "HEM", "hashed_email", "email_hash", "emailHash", "sha256_email", "email_sha256", "emailsha256", "emailSHA256",
			"SHA256Email", "em_sha256", "email_sha256_hex", "hashedEmailAddress", "mail_hash",
		},
		"phone_hash": {"phone_sha256", "hashed_phone", "phoneHash", "sha256_phone_number", "mobile_hash", "ph_sha256", "telefon_sha256"},
		"": {
			"mailing_list", "mailingList", "mail_opt_in", "emailOptIn", "email_optin", "email_verified", "isEmailVerified", "EMAIL-VERIFIED",
			"email_count", "email_domain", "email_type", "last_email_sent", "email_bounced", "email_status", "email_md5", "email_sha1",
			"phone_type", "phoneType", "phone_country_code", "phone_verified", "mobile_os", "cell_count", "portable_flag", "tel_date",
			"hotel", "motel", "cellar", "hostel", "address", "title", "street address", "mailbox_size", "them", "chemistry", "telex",
			"telegraph", "id", "name", "number", "hash", "sha256", "cellist_name", "mobility", "postal_code", "E-Mail bestätigt",
			"correo_verificado", "téléphone type", "メール配信", "手机型号", "номер", "", "-", "42",
		},
	} {
		for _, name := range names {
			if got := byName(name); got != want {
				t.Errorf("%q is taken for %q, want %q", name, got, want)
			}
		}
	}
}

// byName says what a column is read as for its name alone.
func byName(name string) string {
	f := ColumnFound{Name: name}
	if f.judge(); f.Confidence < sure {
		return ""
	}
	return f.Form
}

// TestLongNames: a name that is as long as a row, or that can be split in very many ways, is done with at once.
func TestLongNames(t *testing.T) {
	if got := byName(strings.Repeat("telefonnummer", 100_000) + "x"); got != "" {
		t.Errorf("taken for %q", got)
	}
	if got := byName(strings.Repeat("emailid", 14) + "x"); got != "" {
		t.Errorf("taken for %q", got)
	}
	if got := byName("Please enter the email address of the primary contact"); got != "" {
		t.Errorf("taken for %q", got)
	}
}

// TestVocabulary: every word stands there as it is looked up.
func TestVocabulary(t *testing.T) {
	for word := range vocabulary {
		words := wordsOf(word)
		if len(words) != 1 || words[0] != word {
			t.Errorf("%q is looked up as %q", word, words)
		}
		if strings.ContainsFunc(word, unicode.IsSpace) || word == "" {
			t.Errorf("%q is no word", word)
		}
	}
}

func TestWordsOf(t *testing.T) {
	for name, want := range map[string]string{
		"customerEmail": "customer email", "EMAIL_ADDRESS": "email address", "E-Mail-Adresse": "e mail adresse",
		"SHA256Email": "sha256 email", "Téléphone portable": "telephone portable", "HTTPServer": "http server", "Straße": "strasse",
		"  a..b ": "a b", "İstanbul": "istanbul", "メール": "メール", "データ": "データ", "이메일": "이메일", "Эл. почта": "эл почта", "": "",
	} {
		if got := strings.Join(wordsOf(name), " "); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// FuzzNames: any name can be read, and its words, which are folded, read as it does.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"customerEmail", "メール配信", "\xff\xfe", "İ", "手机a电话", "e-mail", "ＥＭＡＩＬ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		words := strings.Join(wordsOf(name), " ")
		if len(words) > longestName || len(name) > longestName {
			return
		}
		if got, want := nameOf(words), nameOf(name); got != want {
			t.Fatalf("%q reads as %+v, its words %q as %+v", name, want, words, got)
		}
	})
}
