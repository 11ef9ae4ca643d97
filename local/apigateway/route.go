package apigateway

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// defaultPath is the path, and the whole route key, of the route for everything else.
const defaultPath = "$default"

// route is a Route with its path split.
type route struct {
	Route
	segments []segment
	bucket   *bucket // nil throttles nothing
}

// segment is one part of a path. A higher kind matches more.
type segment struct {
	kind segmentKind
	text string // what a literal says, or the name of a variable
}

type segmentKind int

const (
	literal  segmentKind = iota
	variable             // {id}: one part, not empty
	greedy               // {proxy+}: all parts that are left, at least one
)

var methods = []string{"ANY", http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPatch, http.MethodPost, http.MethodPut}

func compile(r Route) (route, error) {
	if r.Path == defaultPath {
		return route{Route: r}, nil
	}
	if !slices.Contains(methods, r.Method) {
		return route{}, fmt.Errorf("route %s: the method is none of %v", r.key(), methods)
	}
	rest, ok := strings.CutPrefix(r.Path, "/")
	if !ok {
		return route{}, fmt.Errorf("route %s: the path does not begin with a slash", r.key())
	}
	c := route{Route: r}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		s := segment{literal, part}
		if name, ok := strings.CutPrefix(part, "{"); ok {
			if name, ok = strings.CutSuffix(name, "}"); !ok {
				return route{}, fmt.Errorf("route %s: %q is no variable", r.key(), part)
			}
			s = segment{variable, name}
			if name, ok = strings.CutSuffix(name, "+"); ok {
				s = segment{greedy, name}
			}
		}
		if s.kind == greedy && i != len(parts)-1 {
			return route{}, fmt.Errorf("route %s: %q is not at the end", r.key(), part)
		}
		if s.kind != literal && s.text == "" || strings.ContainsAny(s.text, "{}+") {
			return route{}, fmt.Errorf("route %s: %q is not a part of a path", r.key(), part)
		}
		c.segments = append(c.segments, s)
	}
	return c, nil
}

// match finds the most specific route for a request and the values of its path's variables; nil when there is none. A
// literal beats a variable, a variable beats a greedy one, and all of them beat the default; of equal paths the one
// with the method beats ANY.
func match(routes []route, method, path string) (*route, map[string]string) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var best *route
	for i := range routes {
		r := &routes[i]
		if r.matches(method, parts) && (best == nil || compare(r, best) < 0) {
			best = r
		}
	}
	if best == nil {
		return nil, nil
	}
	return best, best.variables(parts)
}

func (r *route) matches(method string, parts []string) bool {
	if r.Path == defaultPath {
		return true
	}
	if r.Method != "ANY" && r.Method != method {
		return false
	}
	for i, s := range r.segments {
		switch {
		case i >= len(parts):
			return false
		case s.kind == greedy:
			return parts[i] != "" || len(parts) > i+1
		case s.kind == variable && parts[i] == "", s.kind == literal && parts[i] != s.text:
			return false
		}
	}
	return len(parts) == len(r.segments)
}

// compare orders two routes that match the same request, the more specific one first.
func compare(a, b *route) int {
	if a.Path == defaultPath || b.Path == defaultPath {
		return cmp.Compare(strings.Count(a.Path, defaultPath), strings.Count(b.Path, defaultPath))
	}
	for i := range min(len(a.segments), len(b.segments)) {
		if c := cmp.Compare(a.segments[i].kind, b.segments[i].kind); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(b.segments), len(a.segments)); c != 0 {
		return c
	}
	return cmp.Compare(strings.Count(a.Method, "ANY"), strings.Count(b.Method, "ANY"))
}

func (r *route) variables(parts []string) map[string]string {
	var values map[string]string
	for i, s := range r.segments {
		if s.kind == literal {
			continue
		}
		if values == nil {
			values = map[string]string{}
		}
		values[s.text] = parts[i]
		if s.kind == greedy {
			values[s.text] = strings.Join(parts[i:], "/")
		}
	}
	return values
}
