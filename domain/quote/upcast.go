package quote

import (
	"encoding/json"
	"fmt"
	"slices"
)

// upcaster turns the data of an event of one version into those of the next. It knows nothing about the Go types, which
// change; the content of a stored version never does.
type upcaster func(json.RawMessage) (json.RawMessage, error)

// Upcast returns the data of a stored event in the newest version of its type, one version after the other. Data that
// are of the newest version already come back as they are.
func Upcast(v Versioned, data json.RawMessage) (json.RawMessage, error) {
	earlier := kinds[v.Type].earlier
	for ; v.Version >= 1 && v.Version <= len(earlier); v.Version++ {
		var err error
		if data, err = earlier[v.Version-1](data); err != nil {
			return nil, fmt.Errorf("upcast %s version %d: %w", v.Type, v.Version, err)
		}
	}
	return data, nil
}

// answersApart takes the providers' answers out of the entries of a lookup and lists them after these, each with its
// entry's id as its subject.
func answersApart(entries, id string) upcaster {
	type object = map[string]json.RawMessage
	return func(data json.RawMessage) (json.RawMessage, error) {
		var event object
		if err := json.Unmarshal(data, &event); err != nil {
			return nil, err
		}
		var facts []object
		if err := json.Unmarshal(event[entries], &facts); err != nil {
			return nil, fmt.Errorf("%s: %w", entries, err)
		}
		var answers []object
		for _, fact := range facts {
			var about []object
			if err := json.Unmarshal(fact["answers"], &about); err != nil {
				return nil, fmt.Errorf("answers: %w", err)
			}
			delete(fact, "answers")
			for _, answer := range about {
				answer["subjects"] = slices.Concat([]byte("["), fact[id], []byte("]"))
			}
			answers = append(answers, about...)
		}
		newer := map[string]any{}
		for name, member := range event {
			newer[name] = member
		}
		newer[entries], newer["answers"] = facts, answers
		return json.Marshal(newer)
	}
}
