package id5

import "mapper/client/jsonscan"

// decoder reads the objects of a reply. It mends strings that are not UTF-8: the service's messages quote values that need not
// be, and may be cut short.
type decoder struct{ jsonscan.Scanner }

// once tells a key that comes twice, by a number for each key.
type once uint8

func (d *decoder) check(seen *once, key int) {
	if *seen&(1<<key) != 0 {
		d.Fail("a key that comes twice")
	}
	*seen |= 1 << key
}

// reply reads the whole reply.
func (d *decoder) reply(r *reply) {
	var seen once
	d.Enter('{')
	for key := d.Key(); key != nil; key = d.Key() {
		switch string(key) {
		case "users":
			d.check(&seen, 0)
			if r.HasUsers = !d.Null(); r.HasUsers {
				d.users(r)
			}
		case "error":
			d.check(&seen, 1)
			d.error(&r.Error)
		default:
			d.Skip()
		}
	}
}

// maxReplyUsers bounds the memory for a reply that means no good. No more than MaxUsers were asked for.
const maxReplyUsers = 2 * MaxUsers

func (d *decoder) users(r *reply) {
	d.Enter('[')
	for d.More(']') {
		if len(r.Users) == maxReplyUsers {
			d.Fail("more users than can have been asked for")
			return
		}
		r.Users = append(r.Users, replyUser{})
		if !d.Null() {
			d.user(&r.Users[len(r.Users)-1])
		}
	}
}

func (d *decoder) user(u *replyUser) {
	var seen once
	d.Enter('{')
	for key := d.Key(); key != nil; key = d.Key() {
		switch string(key) {
		case "uid":
			d.check(&seen, 0)
			u.UID = d.value()
		case "email_sha256":
			d.check(&seen, 1)
			u.Hash = d.value()
		case "country_alpha2":
			d.check(&seen, 2)
			u.Country = d.value()
		case "partner_user_id":
			d.check(&seen, 3)
			u.Number = d.value()
		case "error":
			d.check(&seen, 4)
			d.error(&u.Error)
		default:
			d.Skip()
		}
	}
}

func (d *decoder) error(e *serviceError) {
	if d.Null() {
		return
	}
	var seen once
	e.Is = true
	d.Enter('{')
	for key := d.Key(); key != nil; key = d.Key() {
		switch string(key) {
		case "code":
			d.check(&seen, 0)
			e.Code = d.value()
		case "type":
			d.check(&seen, 1)
			e.Type = d.value()
		default:
			d.Skip()
		}
	}
}

// value reads a string, or nothing from null.
func (d *decoder) value() []byte {
	if d.Null() {
		return nil
	}
	return d.Text()
}
