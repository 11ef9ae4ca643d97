package quote

import (
	"encoding/json"
	"fmt"
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
	return func(data json.RawMessage) (json.RawMessage, error) {
		var event map[string]json.RawMessage
		if err := json.Unmarshal(data, &event); err != nil {
			return nil, err
		}
		var all []map[string]json.RawMessage
		if err := json.Unmarshal(event[entries], &all); err != nil {
			return nil, fmt.Errorf("%s: %w", entries, err)
		}
		var answers []map[string]json.RawMessage
		for _, entry := range all {
			var given []map[string]json.RawMessage
			if err := json.Unmarshal(entry["answers"], &given); err != nil {
				return nil, fmt.Errorf("answers: %w", err)
			}
			delete(entry, "answers")
			subjects, err := json.Marshal([]json.RawMessage{entry[id]})
			if err != nil {
				return nil, err
			}
			for _, answer := range given {
				answer["subjects"] = subjects
			}
			answers = append(answers, given...)
		}
		var err error
		if event[entries], err = json.Marshal(all); err != nil {
			return nil, err
		}
		if event["answers"], err = json.Marshal(answers); err != nil {
			return nil, err
		}
		return json.Marshal(event)
	}
}
