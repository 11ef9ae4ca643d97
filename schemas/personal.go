package schemas

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// Path leads from a document to members: by their names, and by Each to every item of an array or member of a map.
type Path []string

// Each is the step of a Path to every item of an array, or member of a map.
const Each = "*"

func (p Path) String() string { return "/" + strings.Join(p, "/") }

// node is as much of a JSON Schema as may lead to a personal member.
type node struct {
	Ref                  string          `json:"$ref"`
	Personal             bool            `json:"x-personal"`
	Properties           map[string]node `json:"properties"`
	Items                children        `json:"items"`
	PrefixItems          children        `json:"prefixItems"`
	AdditionalProperties children        `json:"additionalProperties"`
	AllOf                []node          `json:"allOf"`
	AnyOf                []node          `json:"anyOf"`
	OneOf                []node          `json:"oneOf"`
	If                   *node           `json:"if"`
	Then                 *node           `json:"then"`
	Else                 *node           `json:"else"`
}

// children are the schemas that each item or member may have. A boolean has none.
type children []node

// UnmarshalJSON reads a schema, a list of them, or a boolean.
func (c *children) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case '[':
		return json.Unmarshal(text, (*[]node)(c))
	case '{':
		*c = make(children, 1)
		return json.Unmarshal(text, &(*c)[0])
	}
	return nil
}

// personal caches the paths of Personal.
var personal sync.Map

// Personal returns the paths to the members of an event that are about a person: those whose schema carries
// "x-personal": true, wherever a reference leads. They are sorted; none is below another.
func Personal(eventType string, version int) ([]Path, error) {
	name := fmt.Sprintf("events/%s.v%d.json", eventType, version)
	if known, ok := personal.Load(name); ok {
		return known.([]Path), nil
	}
	found := map[string]Path{}
	if err := findPersonal(name, nil, found); err != nil {
		return nil, err
	}
	var paths []Path
	for _, key := range slices.Sorted(maps.Keys(found)) {
		paths = append(paths, found[key])
	}
	personal.Store(name, paths)
	return paths, nil
}

// findPersonal looks through the schema in a file. The schemas refer to files, and none to itself.
func findPersonal(file string, at Path, found map[string]Path) error {
	text, err := files.ReadFile(file)
	if err != nil {
		return fmt.Errorf("schema %s: %w", file, err)
	}
	var root node
	if err := json.Unmarshal(text, &root); err != nil {
		return fmt.Errorf("schema %s: %w", file, err)
	}
	return root.find(file, at, found)
}

func (n node) find(file string, at Path, found map[string]Path) error {
	if n.Personal {
		found[at.String()] = slices.Clone(at)
		return nil
	}
	if n.Ref != "" {
		if strings.Contains(n.Ref, "#") {
			return fmt.Errorf("schema %s: personal members are looked for in other files, not in %s", file, n.Ref)
		}
		if err := findPersonal(path.Join(path.Dir(file), n.Ref), at, found); err != nil {
			return err
		}
	}
	for name, member := range n.Properties {
		if err := member.find(file, append(slices.Clip(at), name), found); err != nil {
			return err
		}
	}
	for _, child := range slices.Concat(n.Items, n.PrefixItems, n.AdditionalProperties) {
		if err := child.find(file, append(slices.Clip(at), Each), found); err != nil {
			return err
		}
	}
	here := slices.Concat(n.AllOf, n.AnyOf, n.OneOf)
	for _, branch := range []*node{n.If, n.Then, n.Else} {
		if branch != nil {
			here = append(here, *branch)
		}
	}
	for _, also := range here {
		if err := also.find(file, at, found); err != nil {
			return err
		}
	}
	return nil
}
