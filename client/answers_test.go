package client

import (
	"testing"
)

// put appends a text and returns where it lies, as one who fills Answers does.
func put(a *Answers, text string) (from, to int) {
	from = len(a.Text)
	a.Text = append(a.Text, text...)
	return from, len(a.Text)
}

func filled(uid, previous, word string) *Answers {
	var a Answers
	a.Reset(1)
	from, to := put(&a, uid)
	a.SetUID(0, from, to)
	from, to = put(&a, previous)
	a.SetPrevious(0, from, to)
	from, to = put(&a, word)
	a.SetWord(0, from, to)
	return &a
}

func TestAnswersTexts(t *testing.T) {
	a := filled("a raw UID", "the one before", "a word")
	if string(a.UID(0)) != "a raw UID" || string(a.Previous(0)) != "the one before" || string(a.Word(0)) != "a word" {
		t.Errorf("the texts are %q, %q, %q", a.UID(0), a.Previous(0), a.Word(0))
	}
	empty := filled("", "", "")
	if len(empty.UID(0))+len(empty.Previous(0))+len(empty.Word(0)) > 0 {
		t.Error("an answer without texts has one")
	}
}

// TestAnswersTextsDoNotGrow appends to a text, which must not reach into the next one.
func TestAnswersTextsDoNotGrow(t *testing.T) {
	a := filled("uid", "previous", "word")
	_ = append(a.UID(0), "overwritten"...)
	if string(a.Previous(0)) != "previous" {
		t.Errorf("appending to the raw UID made the previous one %q", a.Previous(0))
	}
}

func TestAnswersReset(t *testing.T) {
	a := filled("uid", "previous", "word")
	a.Items[0].Status, a.Items[0].RefreshFrom, a.Items[0].At = Mapped, 1, 2
	for _, n := range []int{1, 3, 0, 2} { // smaller than before, then into the old room again
		a.Reset(n)
		if len(a.Items) != n || len(a.Text) != 0 {
			t.Fatalf("after Reset(%d) there are %d answers and %d bytes of text", n, len(a.Items), len(a.Text))
		}
		for i := range a.Items {
			if a.Items[i] != (Answer{}) || len(a.UID(i))+len(a.Previous(i))+len(a.Word(i)) > 0 {
				t.Errorf("after Reset(%d) answer %d is %+v", n, i, a.Items[i])
			}
			a.Items[i] = Answer{Status: OptOut, At: 7}
		}
	}
}

func TestAnswersResetReusesMemory(t *testing.T) {
	var a Answers
	a.Reset(5000)
	a.Text = make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(10, func() { a.Reset(5000); a.Reset(10) }); n > 0 {
		t.Errorf("Reset allocates %v times where there is room", n)
	}
}
