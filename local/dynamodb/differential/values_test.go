package differential

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
)

// key makes the key of an item: one of few, so that requests meet.
func (g *generator) key(t *tableShape) object {
	key := object{t.partition[0]: g.keyValue(t.partition[1])}
	if t.sort[0] != "" {
		key[t.sort[0]] = g.keyValue(t.sort[1])
	}
	if g.wrong(0.1) {
		delete(key, pick(g, t.partition[0], t.sort[0]))
	}
	if g.wrong(0.1) {
		key["extra"] = g.value(1)
	}
	return key
}

func (g *generator) keyValue(kind string) object {
	if g.wrong(0.1) {
		return g.oddKeyValue(kind)
	}
	switch kind {
	case "S":
		return object{"S": pick(g, "x", "y", "xy", "z")}
	case "N":
		return object{"N": pick(g, "1", "2", "-3", "10")}
	default:
		return object{"B": base64.StdEncoding.EncodeToString([]byte(pick(g, "x", "y", "\x00", "\xff")))}
	}
}

// oddKeyValue makes a value that a key cannot have, or only barely.
func (g *generator) oddKeyValue(kind string) object {
	text := func(n int) object {
		if kind == "B" {
			return object{"B": base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", n)))}
		}
		return object{"S": strings.Repeat("x", n)}
	}
	switch g.IntN(4) {
	case 0:
		return text(0)
	case 1:
		return text(pick(g, 1024, 1025, 2048, 2049))
	case 2:
		return g.value(1)
	default:
		return object{pick(g, "S", "N", "B"): "12"}
	}
}

// item makes an item with its key, mostly with the keys of the indexes too.
func (g *generator) item(t *tableShape) object {
	item := object{}
	for range g.IntN(5) {
		item[pick(g, attributeNames...)] = g.value(3)
	}
	for name, kind := range sorted(t.attributeTypes) {
		if g.chance(0.7) {
			item[name] = g.keyValue(kind)
		}
	}
	maps.Copy(item, g.key(t))
	if g.wrong(0.03) {
		item["big"] = object{"S": strings.Repeat("x", pick(g, 400_000, 409_700))}
	}
	if g.wrong(0.1) {
		item[""] = g.value(1)
	}
	if g.wrong(0.05) {
		item["deep"] = nested(pick(g, 30, 31, 32, 33, 40), g.chance(0.5))
	}
	return item
}

// nested makes a value of that many levels.
func nested(levels int, maps bool) object {
	v := object{"S": "x"}
	for range levels {
		if maps {
			v = object{"M": object{"a": v}}
		} else {
			v = object{"L": []any{v}}
		}
	}
	return v
}

// value makes a value of any type, of no more than depth levels.
func (g *generator) value(depth int) object {
	if g.wrong(0.1) {
		return g.oddValue()
	}
	kinds := 8
	if depth > 0 {
		kinds = 11
	}
	switch g.IntN(kinds) {
	case 0, 1:
		return object{"S": pick(g, "", "x", "xy", "zxy", "ü", "S", "N")}
	case 2, 3:
		return object{"N": pick(g, "0", "1", "2", "1.5", "-1", "1e2", "100", "0.10", "-0", "123456789012345678901234567890")}
	case 4:
		return object{"B": base64.StdEncoding.EncodeToString([]byte(pick(g, "", "x", "xy")))}
	case 5:
		return object{"BOOL": g.chance(0.5)}
	case 6:
		return object{"NULL": true}
	case 7:
		return g.set()
	case 8, 9:
		fields := object{}
		for range g.IntN(3) {
			fields[pick(g, "a", "b", "x", "status")] = g.value(depth - 1)
		}
		return object{"M": fields}
	default:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(depth-1))
		}
		return object{"L": list}
	}
}

func (g *generator) set() object {
	switch pick(g, 0, 1, 2) {
	case 0:
		return object{"SS": pick(g, []string{"x"}, []string{"x", "y"}, []string{"xy", "", "z"})}
	case 1:
		return object{"NS": pick(g, []string{"1"}, []string{"1", "2"}, []string{"1.5", "-1", "3"})}
	default:
		return object{"BS": pick(g, []string{"eA=="}, []string{"eA==", "eHk="})}
	}
}

// oddValue makes an invalid value, or one that is barely valid.
func (g *generator) oddValue() object {
	nines := strings.Repeat("9", 38)
	return pick(g,
		object{}, object{"S": "x", "N": "1"}, object{"NULL": false},
		object{"SS": []string{}}, object{"NS": []string{}}, object{"BS": []string{}},
		object{"SS": []string{"x", "x"}}, object{"NS": []string{"1", "1.0"}}, object{"BS": []string{"eA==", "eA=="}},
		object{"N": ""}, object{"N": "x"}, object{"N": "1 "}, object{"N": "+1"}, object{"N": "1."}, object{"N": ".5"}, object{"N": "0x1"},
		object{"N": nines}, object{"N": nines + "9"}, object{"N": nines + "0"},
		object{"N": "1e125"}, object{"N": "1e126"}, object{"N": "9.9e125"}, object{"N": "1e-130"}, object{"N": "1e-131"}, object{"N": "0e999"},
		object{"NS": []string{"x"}}, object{"NS": []string{nines + "9"}},
		object{"L": []any{object{}}}, object{"M": object{"a": object{"N": "x"}}},
		object{"S": strings.Repeat("ü", 100)},
		nested(pick(g, 31, 32, 33), g.chance(0.5)),
		object{"S": fmt.Sprint(g.IntN(1000))},
	)
}
