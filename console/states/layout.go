package states

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Point is a place in a drawing, in its units, which are about pixels.
type Point struct{ X, Y int }

// Box is a state in a drawing.
type Box struct {
	*State
	X, Y, W, H int
	// Start and End mark the states at which their machine begins and may end.
	Start, End bool
}

// Edge is a way from one state to another.
type Edge struct {
	From, To string
	Way
	// Through are the points of the line: the first leaves From, the last meets To.
	Through []Point
}

// Frame is the outline of a branch inside a Parallel or a Map.
type Frame struct{ X, Y, W, H int }

// Drawing is where everything of a machine is.
type Drawing struct {
	W, H   int
	Boxes  []*Box
	Edges  []*Edge
	Frames []Frame
}

// The measures of a drawing.
const (
	lineHeight = 40 // of a box
	letter     = 7  // the width of one
	aside      = 28 // between boxes in a row
	below      = 44 // between rows
	pad        = 16 // inside a frame
	lane       = 14 // for a line that passes boxes
)

// Draw lays out a machine from top to bottom: each state stands below all states that lead to it, and the machines inside
// a Parallel or Map are drawn inside its box, side by side. Lines that lead back up, or past rows, run beside the boxes.
func Draw(m *Machine) *Drawing {
	d := &Drawing{}
	d.W, d.H = d.machine(m, pad, pad)
	d.W += 2 * pad
	d.H += 2 * pad
	return d
}

// machine draws a machine at a place, and returns its size.
func (d *Drawing) machine(m *Machine, x, y int) (w, h int) {
	rows := m.rows()
	sizes := map[*State]Point{}
	width := 0
	for _, row := range rows {
		total := aside * (len(row) - 1)
		for _, s := range row {
			sizes[s] = size(s)
			total += sizes[s].X
		}
		width = max(width, total)
	}
	lanes := m.lanes(rows)
	left, boxes := x+lanes*lane, map[string]*Box{}
	height := y
	for i, row := range rows {
		if i > 0 {
			height += below
		}
		total, tallest := aside*(len(row)-1), 0
		for _, s := range row {
			total += sizes[s].X
			tallest = max(tallest, sizes[s].Y)
		}
		at := left + (width-total)/2
		for _, s := range row {
			b := &Box{State: s, X: at, Y: height, W: sizes[s].X, H: sizes[s].Y, Start: s.Name == m.StartAt, End: len(s.Next) == 0}
			d.Boxes, boxes[s.Name] = append(d.Boxes, b), b
			d.inside(b)
			at += b.W + aside
		}
		height += tallest
	}
	d.lines(rows, boxes, left, width)
	return width + 2*lanes*lane, height - y
}

// inside draws the machines inside a box.
func (d *Drawing) inside(b *Box) {
	x := b.X + pad
	for _, branch := range b.Branches {
		w, h := measure(branch)
		d.Frames = append(d.Frames, Frame{X: x, Y: b.Y + lineHeight, W: w + 2*pad, H: h + 2*pad})
		d.machine(branch, x+pad, b.Y+lineHeight+pad)
		x += w + 2*pad + aside
	}
}

// size is that of a state's box, with the machines inside.
func size(s *State) Point {
	w := max(120, letter*utf8.RuneCountInString(s.Name)+44)
	if len(s.Branches) == 0 {
		return Point{w, lineHeight}
	}
	total, tallest := pad*2+aside*(len(s.Branches)-1), 0
	for _, b := range s.Branches {
		bw, bh := measure(b)
		total += bw + 2*pad
		tallest = max(tallest, bh+2*pad)
	}
	return Point{max(w, total), lineHeight + tallest + pad}
}

// measure returns the size of a machine.
func measure(m *Machine) (w, h int) { return (&Drawing{}).machine(m, 0, 0) }

// rows puts the states into rows: below all from which a way leads to them, apart from ways that lead back. States that
// nothing leads to come last.
func (m *Machine) rows() [][]*State {
	rank, order := map[string]int{}, m.order()
	for _, s := range order {
		rank[s.Name] = 0
	}
	position := map[string]int{}
	for i, s := range order {
		position[s.Name] = i
	}
	for _, s := range order { // a topological order of the ways that lead down
		for _, way := range s.Next {
			if to, ok := position[way.To]; ok && to > position[s.Name] {
				rank[way.To] = max(rank[way.To], rank[s.Name]+1)
			}
		}
	}
	var rows [][]*State
	for _, s := range order {
		for len(rows) <= rank[s.Name] {
			rows = append(rows, nil)
		}
		rows[rank[s.Name]] = append(rows[rank[s.Name]], s)
	}
	m.untangle(rows)
	return rows
}

// order returns the states so that ways lead forward but for those that close a loop: depth first, the reverse of the
// order in which they are left.
func (m *Machine) order() []*State {
	byName := map[string]*State{}
	for _, s := range m.States {
		byName[s.Name] = s
	}
	var left []*State
	seen := map[string]bool{}
	var visit func(s *State)
	visit = func(s *State) {
		if s == nil || seen[s.Name] {
			return
		}
		seen[s.Name] = true
		for _, way := range slices.Backward(s.Next) {
			visit(byName[way.To])
		}
		left = append(left, s)
	}
	visit(byName[m.StartAt])
	slices.Reverse(left)
	for _, s := range m.States {
		if !seen[s.Name] {
			left = append(left, s)
		}
	}
	return left
}

// untangle orders each row by where the states that lead to it stand, so that lines cross less.
func (m *Machine) untangle(rows [][]*State) {
	for i := 1; i < len(rows); i++ {
		place := map[string]float64{}
		for _, row := range rows[:i] {
			for n, s := range row {
				for k, way := range s.Next {
					at := (float64(n) + .5) / float64(len(row))
					if _, ok := place[way.To]; !ok {
						place[way.To] = at + float64(k)/1e4
					}
				}
			}
		}
		slices.SortStableFunc(rows[i], func(a, b *State) int { return cmp.Compare(place[a.Name], place[b.Name]) })
	}
}

// long lists the ways that do not lead to the next row.
func (m *Machine) long(rows [][]*State) (ways int) {
	at := rowOf(rows)
	for _, s := range m.States {
		for _, way := range s.Next {
			if to, ok := at[way.To]; ok && to != at[s.Name]+1 {
				ways++
			}
		}
	}
	return ways
}

// lanes is how many lanes the lines beside the boxes need on each side.
func (m *Machine) lanes(rows [][]*State) int { return (m.long(rows) + 1) / 2 }

func rowOf(rows [][]*State) map[string]int {
	at := map[string]int{}
	for i, row := range rows {
		for _, s := range row {
			at[s.Name] = i
		}
	}
	return at
}

// lines draws the ways between the states of a machine.
func (d *Drawing) lines(rows [][]*State, boxes map[string]*Box, left, width int) {
	at, used := rowOf(rows), 0
	into := map[string]int{}
	for _, row := range rows {
		for _, s := range row {
			for i, way := range s.Next {
				from, to := boxes[s.Name], boxes[way.To]
				if to == nil {
					continue
				}
				out := Point{from.X + from.W*(i+1)/(len(s.Next)+1), from.Y + from.H}
				in := Point{to.X + to.W/2, to.Y}
				e := &Edge{From: s.Name, To: way.To, Way: way}
				if at[way.To] == at[s.Name]+1 {
					e.Through = []Point{out, {out.X, in.Y - below/2}, {in.X, in.Y - below/2}, in}
				} else {
					side := left - lane*(used/2+1) + lane/2
					if used%2 == 1 {
						side = left + width + lane*(used/2+1) - lane/2
					}
					used++
					into[way.To]++
					shift := (into[way.To]*9)%(to.W/3) - to.W/6
					in.X += shift
					down := out.Y + below/4
					e.Through = []Point{out, {out.X, down}, {side, down}, {side, in.Y - below/4}, {in.X, in.Y - below/4}, in}
				}
				d.Edges = append(d.Edges, e)
			}
		}
	}
}
