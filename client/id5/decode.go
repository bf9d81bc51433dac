package id5

// decoder reads the objects of a reply.
type decoder struct{ scanner }

// once tells a key that comes twice, by a number for each key.
type once uint8

func (d *decoder) check(seen *once, key int) {
	if *seen&(1<<key) != 0 {
		d.fail()
	}
	*seen |= 1 << key
}

// reply reads the whole reply.
func (d *decoder) reply(r *reply) {
	var seen once
	d.enter('{')
	for key, more := d.key(true); more; key, more = d.key(false) {
		switch string(key) {
		case "users":
			d.check(&seen, 0)
			if r.HasUsers = !d.null(); r.HasUsers {
				d.users(r)
			}
		case "error":
			d.check(&seen, 1)
			d.error(&r.Error)
		default:
			d.skip(0)
		}
	}
}

// maxReplyUsers bounds the memory for a reply that means no good. No more than MaxUsers were asked for.
const maxReplyUsers = 2 * MaxUsers

func (d *decoder) users(r *reply) {
	d.enter('[')
	for first := true; d.more(first, ']'); first = false {
		if len(r.Users) == maxReplyUsers {
			d.fail()
			return
		}
		r.Users = append(r.Users, replyUser{})
		if !d.null() {
			d.user(&r.Users[len(r.Users)-1])
		}
	}
}

func (d *decoder) user(u *replyUser) {
	var seen once
	d.enter('{')
	for key, more := d.key(true); more; key, more = d.key(false) {
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
			d.skip(0)
		}
	}
}

func (d *decoder) error(e *serviceError) {
	if d.null() {
		return
	}
	var seen once
	e.Is = true
	d.enter('{')
	for key, more := d.key(true); more; key, more = d.key(false) {
		switch string(key) {
		case "code":
			d.check(&seen, 0)
			e.Code = d.value()
		case "type":
			d.check(&seen, 1)
			e.Type = d.value()
		default:
			d.skip(0)
		}
	}
}

// value reads a string, or nothing from null.
func (d *decoder) value() []byte {
	if d.null() {
		return nil
	}
	return d.str()
}
