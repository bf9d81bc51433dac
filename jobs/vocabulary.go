package jobs

import "strings"

// vocabulary holds the words that names of columns are made of, folded, in the languages of those who export
// customer lists.
//
//nolint:misspell // words of other languages are no misspellings
var vocabulary = func() map[string]sense {
	words := map[string]sense{}
	for says, list := range map[sense]string{
		saysEmail: `
			email emails mail mails emailid mailid emailaddress mailaddress
			correo correoelectronico correio correioeletronico correu courriel courriels courrierelectronique mel
			epost eposti epostadress epostadresse mejl mejladress sahkoposti sahkopostiosoite tolvupostur netfang
			posta eposta postaelettronica pec poczta pocztaelektroniczna drogielektroniczna elpastas epastas
			почта эпочта элпочта электроннаяпочта электроннои имеил имэил емаил емеил мэил маил пошта
			ηλεκτρονικο ηλεκτρονικοταχυδρομειο
			电子邮件 电子邮箱 邮箱 邮件 電子郵件 電子郵箱 電郵 信箱 メール eメール メアド 電子メール
			이메일 메일 전자우편 전자메일 อีเมล อีเมล์ דואל אימייל מייל بريد البريدالالكتروني ईमेल`,
		saysPhone: `
			phone phones telephone telephones tel tels tlf tfno tfn telf fone mobile mobiles cell cells cellular
			cellphone cellphones smartphone msisdn gsm
			telefon telefone telefonnummer rufnummer mobilnummer handynummer handy mobil mobiltelefon natel
			telefono telefonos movil moviles celular celulares cel telefones telemovel telemoveis
			portable portables mobilephone cellulare cellulari telefoon telefoonnummer mobiel gsmnummer
			telefonu telefonni komorka komorkowy puhelin puhelinnumero matkapuhelin kannykka
			телефон телефона телефоны мобильныи мобильник тел моб сотовыи
			τηλεφωνο κινητο
			电话 手机 手机号 手机号码 移动电话 電話 電話番号 手機 行動電話 携帯 携帯電話 ケータイ
			전화 전화번호 휴대폰 휴대전화 핸드폰 연락처 โทรศัพท์ มือถือ เบอร์โทร טלפון נייד هاتف جوال الهاتف الجوال फोन मोबाइल cep ceptelefonu`,
		saysEmail | saysHash: `hem hems emsha256 emhash`,
		saysPhone | saysHash: `phsha256 phhash`,
		saysHash: `
			hash hashed hashes sha sha2 sha256 sha256hash hex base64 b64 digest hachage hache gehasht
			哈希 ハッシュ 해시 хеш хэш`,
		saysAbout: `
			verified unverified verification validated valid invalid confirmed confirmation opt optin optins optout
			optedin optedout count counts total type types kind status state flag flags is has had can may allow
			allowed allows consent consented permission preference preferences subscribed unsubscribed subscription
			newsletter newsletters mailing mailings list lists date dates time timestamp created updated changed
			modified at on in out last sent open opened opens click clicked clicks bounce bounced bounces domain
			domains provider carrier operator network country area code codes prefix extension ext template subject
			body campaign channel frequency model brand device os platform app version source quality score rank
			format language locale price plan rate postal zip suppressed suppression blacklist blacklisted spam
			reason error note notes comment length usage minutes calls server host port size signup active activated
			inactive enabled disabled present exists available md5 sha1 sha384 sha512 fax telefax cellid iphone
			verifiziert bestatigt erlaubt einwilligung typ anzahl datum gultig vorhanden versand vorwahl
			verificado confirmado consentimiento tipo fecha cantidad estado valido boletin prefijo
			verifie confirme consentement nombre statut valide indicatif
			verificato confermato consenso stato prefisso verificada data
			почтовыи тип количество дата согласие подтвержден
			类型 状态 验证 数量 型号 認証 種別 配信 日時 인증 동의 수신`,
		saysLittle: `
			address addresses addr adr adresi adresse adressen adress adres adresa adreca direccion indirizzo endereco osoite
			number numbers num nums no nr nbr nro nummer nummern numero numeros numer numeru cislo szam numara numarasi
			адрес адреса номер 地址 号码 號碼 番号 アドレス 번호 주소
			customer customers cliente clientes kunde kunden kundin user users contact contacts kontakt
			contacto contatto member account person personal personne private privat privada prive home work business
			office company main primary principal secondary second first alt alternate alternative backup other
			preferred default current new old billing shipping delivery my your the raw plain clean normalized
			normalised value field col column de del du der des di do da la le el l d of e164 intl international full
			utf8 text str string elektronische electronica electronico electronique elektroniczna elettronica eletronico
			客户 用户 客戶 用戶 顧客 お客様 様 個人 会員 고객 회원 клиент клиента`,
	} {
		for word := range strings.FieldsSeq(list) {
			words[word] |= says
		}
	}
	return words
}()
