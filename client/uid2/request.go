package uid2

import "mapper/normalize"

// MaxItems is how many identities a request may hold, all kinds together. The service documents it and does not check.
const MaxItems = 5000

// appendRequest appends the JSON of an identity map request: the hashes by kind, each kind in the order of ids. Written
// by hand, as hashes in base64 need no escapes.
//
// The body limit of 1 MiB needs no attention: MaxItems hashes make 235 KB.
func appendRequest(dst []byte, ids []normalize.ID) []byte {
	dst = append(dst, `{"email_hash":[`...)
	dst = appendHashes(dst, ids, normalize.KindEmail)
	dst = append(dst, `],"phone_hash":[`...)
	dst = appendHashes(dst, ids, normalize.KindPhone)
	return append(dst, `]}`...)
}

func appendHashes(dst []byte, ids []normalize.ID, kind normalize.Kind) []byte {
	begin := len(dst)
	for i := range ids {
		if ids[i].Kind != kind {
			continue
		}
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = ids[i].AppendBase64(dst)
		dst = append(dst, '"')
	}
	return dst
}
