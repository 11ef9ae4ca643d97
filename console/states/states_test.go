package states_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/console/states"
)

func mustParse(t *testing.T, definition string) *states.Machine {
	t.Helper()
	m, err := states.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheMachinesOfTheTemplateAreDrawn(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../statemachines/*.asl.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := mustParse(t, string(text))
		assertDrawn(t, m)
		svg := string(states.SVG(m, nil, "", time.Time{}, func(s string) string { return "?state=" + s }))
		for _, s := range m.All() {
			if !strings.Contains(svg, ">"+strings.NewReplacer("'", "&#39;", "&", "&amp;").Replace(s.Name)+"<") {
				t.Errorf("%s: %s is not in the drawing", file, s.Name)
			}
		}
	}
}

func TestDefinitionsThatCannotBeDrawnAreRefused(t *testing.T) {
	t.Parallel()
	deep := `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`
	for range 40 {
		deep = `{"StartAt":"A","States":{"A":{"Type":"Parallel","Branches":[` + deep + `],"End":true}}}`
	}
	for name, definition := range map[string]string{
		"no JSON": `{`, "no states": `{"StartAt":"A"}`, "no start": `{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`,
		"a state that is a number": `{"StartAt":"A","States":{"A":3}}`, "too deep": deep,
	} {
		if m, err := states.Parse([]byte(definition)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// TestAnyMachineIsDrawnWithoutOverlaps makes machines by chance, with loops, catches and machines inside.
func TestAnyMachineIsDrawnWithoutOverlaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		definition := machine(rand.New(rand.NewPCG(seed, 1)), fmt.Sprint("s", seed), 2)
		assertDrawn(t, mustParse(t, definition))
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, definition)
		}
	}
}

// machine makes a definition. Names are unique, as the states language wants it.
func machine(r *rand.Rand, prefix string, depth int) string {
	n := 1 + r.IntN(7)
	name := func(i int) string { return fmt.Sprintf("%s-%d%s", prefix, i, strings.Repeat("x", i*3%17)) }
	var all []string
	for i := range n {
		next := `"End":true`
		if r.IntN(4) > 0 {
			next = fmt.Sprintf(`"Next":%q`, name(r.IntN(n)))
		}
		switch kind := r.IntN(5); {
		case kind == 0 && depth > 0:
			var branches []string
			for b := range 1 + r.IntN(3) {
				branches = append(branches, machine(r, fmt.Sprintf("%s.%d.%d", prefix, i, b), depth-1))
			}
			all = append(all, fmt.Sprintf(`%q:{"Type":"Parallel","Branches":[%s],%s}`, name(i), strings.Join(branches, ","), next))
		case kind == 1:
			all = append(all, fmt.Sprintf(`%q:{"Type":"Choice","Choices":[{"Next":%q},{"Next":%q}],"Default":%q}`, name(i), name(r.IntN(n)), name(r.IntN(n)), name(r.IntN(n))))
		default:
			all = append(all, fmt.Sprintf(`%q:{"Type":"Task","Resource":"r","TimeoutSecondsPath":"$.t","Catch":[{"ErrorEquals":["States.ALL"],"Next":%q}],%s}`, name(i), name(r.IntN(n)), next))
		}
	}
	return fmt.Sprintf(`{"StartAt":%q,"States":{%s}}`, name(0), strings.Join(all, ","))
}

// assertDrawn checks that a drawing has every state once, that boxes of one machine are apart and inside the drawing, and
// that every way is drawn from its state to the other. The SVG is well-formed.
func assertDrawn(t *testing.T, m *states.Machine) {
	t.Helper()
	d := states.Draw(m)
	boxes := map[string]*states.Box{}
	for _, b := range d.Boxes {
		if boxes[b.Name] != nil {
			t.Errorf("%s is drawn twice", b.Name)
		}
		boxes[b.Name] = b
		if b.X < 0 || b.Y < 0 || b.X+b.W > d.W || b.Y+b.H > d.H {
			t.Errorf("%s is outside: %+v of %d×%d", b.Name, *b, d.W, d.H)
		}
	}
	assertApart(t, m, boxes)
	for _, s := range m.All() {
		if boxes[s.Name] == nil {
			t.Errorf("%s is not drawn", s.Name)
		}
	}
	for _, e := range d.Edges {
		from, to, n := boxes[e.From], boxes[e.To], len(e.Through)
		first, last := e.Through[0], e.Through[n-1]
		if first.Y != from.Y+from.H || first.X < from.X || first.X > from.X+from.W || last.Y != to.Y || last.X < to.X || last.X > to.X+to.W {
			t.Errorf("the way from %s to %s: %v", e.From, e.To, e.Through)
		}
		for _, p := range e.Through {
			if p.X < 0 || p.X > d.W || p.Y < 0 || p.Y > d.H {
				t.Errorf("the way from %s to %s leaves the drawing at %v of %d×%d", e.From, e.To, p, d.W, d.H)
			}
		}
	}
	svg := string(states.SVG(m, nil, "", time.Time{}, nil))
	if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
		t.Errorf("the SVG: %v", err)
	}
}

// assertApart checks that no two boxes of a machine overlap, and that what is inside a box is inside.
func assertApart(t *testing.T, m *states.Machine, boxes map[string]*states.Box) {
	t.Helper()
	for i, a := range m.States {
		for _, b := range m.States[i+1:] {
			p, q := boxes[a.Name], boxes[b.Name]
			if p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H {
				t.Errorf("%s and %s overlap", a.Name, b.Name)
			}
		}
		for _, branch := range a.Branches {
			for _, s := range branch.States {
				in, out := boxes[s.Name], boxes[a.Name]
				if in.X < out.X || in.Y < out.Y || in.X+in.W > out.X+out.W || in.Y+in.H > out.Y+out.H {
					t.Errorf("%s is not inside %s", s.Name, a.Name)
				}
			}
			assertApart(t, branch, boxes)
		}
	}
	if slices.Contains(m.States, nil) {
		t.Error("a state is missing")
	}
}
