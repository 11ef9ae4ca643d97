package quote

import (
	"encoding/json"
	"fmt"
	"slices"
)

// upcasters give the data of an event in the version after the one they stand under. They know nothing of the
// Go types, which change: what an event said in a version that was written never does.
var upcasters = map[Versioned]func(json.RawMessage) (json.RawMessage, error){
	{TypeVehiclesIdentified, 1}:       answersApart("vehicles", "vehicleId"),
	{TypeAccidentHistoryRetrieved, 1}: answersApart("drivers", "driverId"),
}

// Upcast gives the data of a stored event in the newest version of its type, one version after the other.
// Data that are of the newest version already come back as they are.
func Upcast(v Versioned, data json.RawMessage) (json.RawMessage, error) {
	for {
		next, ok := upcasters[v]
		if !ok {
			return data, nil
		}
		var err error
		if data, err = next(data); err != nil {
			return nil, fmt.Errorf("upcast %s version %d: %w", v.Type, v.Version, err)
		}
		v.Version++
	}
}

// answersApart takes the providers' answers out of the entries of a lookup and lists them behind these,
// each with its entry's id as what it is about.
func answersApart(entries, id string) func(json.RawMessage) (json.RawMessage, error) {
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
