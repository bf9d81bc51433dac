package sandbox

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// omit leaves a user out of the n-th answer, if the faults want it.
func (f *ID5Faults) omit(users []id5User, n int64, fate Action) []id5User {
	if fate == ShortArrays && len(users) > 0 {
		users = users[:len(users)-1]
	}
	if i, hit := victim(users, n, f.Omit); hit {
		users = slices.Delete(users, i, i+1)
	}
	return users
}

// duplicate gives a user of the n-th answer twice, if the faults want it.
func (f *ID5Faults) duplicate(users []id5User, n int64, fate Action) []id5User {
	if fate == LongArrays && len(users) > 0 {
		users = append(users, users[0])
	}
	if i, hit := victim(users, n, f.Duplicate); hit {
		users = append(users, users[i])
	}
	return users
}

// victim chooses a user of the n-th answer if it is one of each every-th. It is not always the same place that is hit.
func victim(users []id5User, n int64, every int) (i int, hit bool) {
	if every == 0 || n%int64(every) != 0 || len(users) == 0 {
		return 0, false
	}
	return int(n/int64(every)) % len(users), true
}

// id5Disguise makes it harder to recognize the users of the n-th answer.
func (p *plan) id5Disguise(users []id5User, n int64) {
	for i := range users {
		u := &users[i]
		if hash, ok := id5Hash(u.Hash); ok && p.ID5.NoHash[hash] {
			u.Hash = strings.Repeat("0", len(u.Hash))
		}
		if p.ID5.NoNumbers {
			u.Number = ""
		}
	}
	if p.ID5.Shuffle {
		chance := rand.New(rand.NewPCG(p.Seed, uint64(n)))
		chance.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	}
}
