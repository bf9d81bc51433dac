package normalize

// Reason says why a value was refused. Its text is what users see in the column raw_reason; it never holds
// anything of the value.
type Reason uint8

// The reasons. All but the first two are about one form, with which their text begins.
const (
	ReasonNone  Reason = iota // not refused
	ReasonEmpty               // nothing there, or only characters that hygiene strips

	ReasonEmailNotUTF8  // the services would hash something else than these bytes
	ReasonEmailNoAt     // no @
	ReasonEmailTwoAt    // more than one @
	ReasonEmailNoLocal  // nothing is left before the @ once spaces, and for Gmail dots and +suffix, are dropped
	ReasonEmailNoDomain // nothing, or only spaces, after the @

	ReasonPhoneNational // digits and separators without a +: the country is unknown
	ReasonPhoneLength   // + and ASCII digits, but fewer than 10 or more than 15
	ReasonPhoneFormat   // neither of these and not E.164
	ReasonPhoneRegion   // the number needs a region, and what its row names is none
	ReasonPhoneInvalid  // the numbering plan of the region has no such number
	ReasonPhoneDecimals // digits with .0 behind them: a number that was a float on its way, and may have lost digits
	// ReasonPhoneAmbiguous: valid in its region as it is, and with its first digits read as the country code.
	ReasonPhoneAmbiguous
	ReasonPhoneID5 // a phone for ID5, which publishes no rule for phones

	ReasonHashLineBreak // CR or LF inside
	ReasonHashEmail     // it has an @
	ReasonHashPhone     // it looks like a phone, national or international
	ReasonHashHexText   // 88 characters of base64: the 64 hex digits were encoded, not the 32 bytes
	ReasonHashMD5       // 32 hex digits
	ReasonHashSHA1      // 40 hex digits
	ReasonHashSHA512    // 128 hex digits
	ReasonHashNotHex    // as long as a SHA-256 in hex, but with other characters
	ReasonHashLength    // base64 or hex of more or less than 32 bytes
	ReasonHashAlphabet  // neither base64 nor hex

	ReasonCountry // what the row names as its country is not two letters

	// Reasons is how many reasons there are, for arrays indexed by Reason.
	Reasons
)

var reasonTexts = [Reasons]string{
	ReasonNone:  "",
	ReasonEmpty: "empty",

	ReasonEmailNotUTF8:  "email: not UTF-8",
	ReasonEmailNoAt:     "email: no @",
	ReasonEmailTwoAt:    "email: two @",
	ReasonEmailNoLocal:  "email: nothing before @",
	ReasonEmailNoDomain: "email: nothing after @",

	ReasonPhoneNational:  "phone: national number and no region",
	ReasonPhoneLength:    "phone: not 10 to 15 digits",
	ReasonPhoneFormat:    "phone: not E.164",
	ReasonPhoneRegion:    "phone: unknown region",
	ReasonPhoneInvalid:   "phone: no valid number in its region",
	ReasonPhoneDecimals:  "phone: a number with decimals, from a float column?",
	ReasonPhoneAmbiguous: "phone: with or without country code?",
	ReasonPhoneID5:       "phone: not taken by ID5",

	ReasonHashLineBreak: "hash: line break inside",
	ReasonHashEmail:     "hash: an email that is not hashed?",
	ReasonHashPhone:     "hash: a phone that is not hashed?",
	ReasonHashHexText:   "hash: 88 characters, base64 of hex text?",
	ReasonHashMD5:       "hash: 32 hex digits, MD5?",
	ReasonHashSHA1:      "hash: 40 hex digits, SHA-1?",
	ReasonHashSHA512:    "hash: 128 hex digits, SHA-512?",
	ReasonHashNotHex:    "hash: 64 characters, not all hex digits",
	ReasonHashLength:    "hash: not 32 bytes",
	ReasonHashAlphabet:  "hash: not base64 or hex",

	ReasonCountry: "country: not two letters",
}

// String returns the reason as it stands in the column raw_reason, and nothing for ReasonNone.
func (r Reason) String() string { return reasonTexts[r] }

// Error is a refused value, of which it holds nothing.
type Error struct{ Reason Reason }

// Error returns the text of the reason.
func (e *Error) Error() string { return e.Reason.String() }
