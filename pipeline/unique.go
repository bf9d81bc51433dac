package pipeline

import "github.com/axiomhq/hyperloglog"

// Unique returns how many different identities have been asked in several sequences of parts together, within about
// 1 %. Of each it takes the last part; one that has none may be left out.
func Unique(lasts []Part) (int64, error) {
	all := hyperloglog.New()
	for _, p := range lasts {
		if len(p.Sketch) == 0 {
			continue
		}
		one := hyperloglog.New()
		if err := one.UnmarshalBinary(p.Sketch); err != nil {
			return 0, err
		}
		if err := all.Merge(one); err != nil {
			return 0, err
		}
	}
	return int64(all.Estimate()), nil
}
