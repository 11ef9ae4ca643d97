package outbox

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/domain/notification"
	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
)

// reminder is put under the same key in each revision.
var reminder = notification.Notification{QuoteID: "q", Kind: notification.Expiring, Revision: 1, Version: 4}

// Open opens the outbox of a stack. Package stacktest knows this one, so that stack_test.go, which is of another
// package, sets it.
var Open func(testing.TB) *Store

// bench is an outbox with one item, which a test brings into any status.
type bench struct {
	*testing.T
	store *Store
	now   time.Time
}

// place makes the item new in a status, claimed by "a"; or takes it away.
func (b bench) place(status Status, dueAt time.Time) (Item, stored.Item) {
	b.Helper()
	key := keyOf(reminder.QuoteID, reminder.Key())
	if _, err := b.store.DB.DeleteItem(b.Context(), &dynamodb.DeleteItemInput{TableName: &b.store.Table, Key: key}); err != nil {
		b.Fatal(err)
	}
	if status == absent {
		return Item{Notification: reminder, claim: "a"}, nil
	}
	if err := b.store.Put(b.Context(), dueAt, reminder); err != nil {
		b.Fatal(err)
	}
	update, values := "SET #s = :s, claim = :c", stored.Item{":s": stored.Text(string(status)), ":c": stored.Text("a")}
	if !slices.Contains(onItsWay, status) {
		update += " REMOVE pending"
	}
	if _, err := b.store.DB.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{
		TableName: &b.store.Table, Key: key, UpdateExpression: &update,
		ExpressionAttributeNames: map[string]string{"#s": "status"}, ExpressionAttributeValues: values,
	}); err != nil {
		b.Fatal(err)
	}
	item, _, err := b.store.Get(b.Context(), reminder.QuoteID, reminder.Key())
	if err != nil {
		b.Fatal(err)
	}
	return item, b.stored()
}

func (b bench) stored() stored.Item {
	b.Helper()
	out, err := b.store.DB.GetItem(b.Context(), &dynamodb.GetItemInput{
		TableName: &b.store.Table, Key: keyOf(reminder.QuoteID, reminder.Key()), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		b.Fatal(err)
	}
	return out.Item
}

// do makes something happen to the item as it was read.
func (b bench) do(what What, to Status, item Item) {
	b.Helper()
	var err error
	switch what {
	case Hear:
		err = b.store.Put(b.Context(), b.now, reminder)
	case Amend:
		amended := reminder
		amended.Revision++
		err = b.store.Put(b.Context(), b.now, amended)
	case Claim:
		_, _, err = b.store.Claim(b.Context(), item.QuoteID, item.Key(), "b", b.now, time.Minute)
	case What(AsSent), What(AsPaperSent), What(AsNotSent), What(Resend):
		_, err = b.store.Decide(b.Context(), item, Decision{Verdict: Verdict(what), By: "eve", At: b.now})
		if _, refused := errors.AsType[*NotToDecide](err); refused {
			err = nil
		}
	default:
		_, err = b.store.Move(b.Context(), item, Step{
			What: what, To: to, At: b.now, DueAt: b.now.Add(time.Hour), Channel: notification.Email, Problem: "p", MessageID: "m",
			Letter: Kept{seal.Sealed{CustomerID: "ada", KeyID: "k", Text: []byte("l")}},
		})
	}
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// TestTheTableSaysItAll brings an item into each status, under its claim and another, due and not, and has everything
// happen to it: DynamoDB does what the table says, and nothing else.
func TestTheTableSaysItAll(t *testing.T) {
	t.Parallel()
	b := bench{t, Open(t), time.Now().UTC()}
	for what, row := range transitions {
		for _, from := range append([]Status{absent}, statuses...) {
			for _, to := range row.to {
				for _, mine := range []bool{true, false} {
					for _, dueIn := range []time.Duration{0, time.Second} {
						item, before := b.place(from, b.now.Add(dueIn))
						if !mine {
							item.claim = "another"
						}
						b.do(what, to, item)
						happens := slices.Contains(row.from, from) && (mine || !row.mine) && (dueIn <= 0 || !row.due) ||
							what == Amend && slices.Contains(transitions[Hear].from, from) // which it is as well
						b.compare(fmt.Sprintf("%s in %s, mine %t, due in %s", what, from, mine, dueIn), before, happens, row, to)
					}
				}
			}
		}
	}
}

func (b bench) compare(name string, before stored.Item, happens bool, row transition, to Status) {
	b.Helper()
	after := b.stored()
	if !happens {
		if !reflect.DeepEqual(after, before) {
			b.Errorf("%s: it became\n%v\nfrom\n%v", name, after, before)
		}
		return
	}
	item, err := decode(after)
	if err != nil || item.Status != to {
		b.Errorf("%s: %s, want %s, error %v", name, item.Status, to, err)
	}
	if _, found := after["pending"]; found != slices.Contains(onItsWay, to) {
		b.Errorf("%s: found among what is on its way: %t", name, found)
	}
	if before == nil {
		return
	}
	written := append(slices.Clone(row.writes), "status", "pending")
	if slices.Contains(written, "letter") {
		written = append(written, "sealedFor", "keyId")
	}
	if row.writes == nil { // Put, which writes the notification
		written = append(written, "dueAt", "revision")
	}
	names := maps.Clone(before)
	maps.Copy(names, after)
	for attribute := range names {
		if !slices.Contains(written, attribute) && !reflect.DeepEqual(before[attribute], after[attribute]) {
			b.Errorf("%s: it writes %s", name, attribute)
		}
	}
	for _, attribute := range row.writes {
		if after[attribute] == nil {
			b.Errorf("%s: it does not write %s", name, attribute)
		}
	}
}

func TestAStepThatLeadsNowhereIsRefused(t *testing.T) {
	t.Parallel()
	for _, step := range []Step{{What: End}, {What: End, To: Sent}, {What: Confirm, To: Due}, {What: "FORGET"}} {
		if _, err := new(Store).Move(t.Context(), Item{Notification: reminder}, step); err == nil {
			t.Errorf("%+v is made", step)
		}
	}
}

// progress is how far a process has come with the notification that it sends.
type progress int

const (
	idle    progress = iota
	claimed          // it may begin, put off or end
	begun            // it may send
	took             // the provider took it
	refused          // the provider did not
	unclear          // the outcome is uncertain
	gone             // it is done, or was cut off
)

// world is an item with all that goes on around it.
type world struct {
	status    Status
	claim     int // the process whose claim it has, from 1 on
	due       bool
	processes [3]progress
	// sent counts letters, resent how often a person wanted another one.
	sent, resent int
	// said: a person said that it was sent.
	said bool
}

const maxResent = 2

// rules are the table, or what a test makes of it.
type rules map[What]transition

// happen returns the worlds in which something may leave the item; none if it cannot happen.
func (r rules) happen(w world, what What, process int) (all []world) {
	row := r[what]
	if !slices.Contains(row.from, w.status) || row.mine && w.claim != process || row.due && !w.due {
		return nil
	}
	for _, to := range row.to {
		next := w
		next.status = to
		if slices.Contains(row.writes, "claim") {
			next.claim = process
		}
		if slices.Contains(row.writes, "dueAt") || row.writes == nil {
			next.due = false
		}
		all = append(all, next)
	}
	return all
}

// after are the worlds that may follow: time passes, people and events come, each process takes a step or is cut off,
// before the step, after it, or while its answer is on the way.
func (r rules) after(w world) (all []world) {
	add := func(what What, process int, then progress) {
		for _, next := range r.happen(w, what, process) {
			if process > 0 {
				next.processes[process-1] = then
			}
			all = append(all, next)
		}
	}
	passed := w
	passed.due = true
	all = append(all, passed)
	add(Hear, 0, idle)
	add(Amend, 0, idle)
	for _, verdict := range []Verdict{AsSent, AsPaperSent, AsNotSent, Resend} {
		if verdict == Resend && w.resent == maxResent {
			continue
		}
		for _, next := range r.happen(w, What(verdict), w.claim) { // a person decides on the item as it is
			next.said = w.said || next.status == Sent
			if verdict == Resend {
				next.resent++
			}
			all = append(all, next)
		}
	}
	for i, p := range w.processes {
		stopped := w
		stopped.processes[i] = gone
		if p != gone {
			all = append(all, stopped)
		}
		switch p {
		case idle:
			add(Claim, i+1, claimed)
			add(Claim, i+1, gone) // its answer is lost
			add(Abandon, i+1, gone)
		case claimed:
			add(Postpone, i+1, gone)
			add(End, i+1, gone)
			add(Begin, i+1, begun)
			add(Begin, i+1, claimed) // its answer is lost, and the call repeated
		case begun:
			next := w
			next.processes[i] = refused
			all = append(all, next)
			next.processes[i] = unclear
			all = append(all, next)
			next.sent++
			all = append(all, next)
			next.processes[i] = took
			all = append(all, next)
		case took:
			add(Confirm, i+1, gone)
		case refused:
			add(Refuse, i+1, gone)
			add(Fail, i+1, gone)
		case unclear:
			add(Doubt, i+1, gone)
		}
	}
	return all
}

// explore visits every possible world, and returns what is wrong in one. seen has the statuses that occur.
func (r rules) explore() (seen map[Status]bool, wrong error) {
	seen = map[Status]bool{}
	known := map[world]bool{{}: true}
	for left := []world{{}}; len(left) > 0; {
		w := left[len(left)-1]
		left = left[:len(left)-1]
		seen[w.status] = true
		if w.sent > 1+w.resent {
			return seen, fmt.Errorf("sent %d times: %+v", w.sent, w)
		}
		if w.status == Sent && w.sent == 0 && !w.said {
			return seen, fmt.Errorf("SENT, and never was: %+v", w)
		}
		if err := r.stuck(w); err != nil {
			return seen, err
		}
		for _, next := range r.after(w) {
			if !known[next] {
				known[next] = true
				left = append(left, next)
			}
		}
	}
	return seen, nil
}

// stuck checks that the next run of senddue brings an item to an end, or that a person can; an item that needs no
// attention is at its end.
func (r rules) stuck(w world) error {
	const fresh = len(w.processes) + 1
	for at, steps := w, 0; slices.Contains(onItsWay, at.status); steps++ {
		at.due = true
		var next []world
		for _, what := range []What{Claim, Abandon} {
			next = append(next, r.happen(at, what, fresh)...)
		}
		if len(next) == 0 || steps > 3 {
			return fmt.Errorf("nothing leads on from %s", at.status)
		}
		at = next[0]
		if at.status == Claimed {
			at = r.happen(at, End, fresh)[0]
		}
	}
	person := slices.ContainsFunc([]Verdict{AsSent, AsNotSent}, func(v Verdict) bool { return slices.Contains(r[What(v)].from, w.status) })
	if w.status != absent && !slices.Contains(onItsWay, w.status) && !w.status.Settled() && !person {
		return fmt.Errorf("nobody can settle what is %s", w.status)
	}
	return nil
}

func TestNoOrderOfEventsSendsTwiceAndNothingIsStuck(t *testing.T) {
	t.Parallel()
	seen, err := rules(transitions).explore()
	if err != nil {
		t.Error(err)
	}
	for _, s := range statuses {
		if !seen[s] {
			t.Errorf("nothing ever is %s", s)
		}
	}
}

// A property that no table can break says nothing: these do.
func TestTheModelFindsWhatIsWrongInATable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(rules){
		"who comes later takes over what is being sent": func(r rules) { add(r, Claim, Sending) },
		"who comes later takes over what nobody knows":  func(r rules) { add(r, Claim, Unknown) },
		"a claim that another has is good for sending":  func(r rules) { row := r[Begin]; row.mine = false; r[Begin] = row },
		"what nobody knows is heard of again":           func(r rules) { add(r, Hear, Unknown) },
		"what another process is sending is put off": func(r rules) {
			row := r[Postpone]
			row.mine = false
			r[Postpone] = row
			add(r, Postpone, Sending)
		},
		"what was never sent is confirmed": func(r rules) { row := r[End]; row.to = []Status{Sent}; r[End] = row },
		"a doubt is tried again":           func(r rules) { row := r[Doubt]; row.to = []Status{Due}; r[Doubt] = row },
		"a lease that never ends":          func(r rules) { row := r[Claim]; row.from = []Status{Due}; r[Claim] = row },
		"a sender that is never given up":  func(r rules) { delete(r, Abandon) },
		"paper that nobody can settle": func(r rules) {
			for _, v := range []Verdict{AsSent, AsNotSent} {
				row := r[What(v)]
				row.from = []Status{Unknown, Failed}
				r[What(v)] = row
			}
		},
	} {
		spoiled := rules(maps.Clone(transitions))
		spoil(spoiled)
		if _, err := spoiled.explore(); err == nil {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

func add(r rules, what What, from Status) {
	row := r[what]
	row.from = append(slices.Clone(row.from), from)
	r[what] = row
}
