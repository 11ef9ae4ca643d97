package options

import "milepost/domain/vehicle"

// Doubt is a reason to ask whether a VIN is right, in words.
type Doubt struct {
	// Code is one of NHTSA's vPIC.
	Code vehicle.Code `json:"code"`
	Text string       `json:"text"`
}

// doubts have the words for each code that is worth a question. The others are about vehicles that are rare, not about
// VINs that are wrong.
var doubts = map[vehicle.Code]string{
	vehicle.WrongCheckDigit:   "The VIN does not add up: a character is probably mistyped. Compare each one with the registration.",
	vehicle.Corrected:         "One character cannot be right. Is the suggested VIN yours? Compare it with the registration.",
	vehicle.CorrectedByDigit:  "One character cannot be right. Is the suggested VIN yours? Compare it with the registration.",
	vehicle.OnePositionWrong:  "One character cannot be right; the suggestion marks it with an exclamation mark. Compare it with the registration.",
	vehicle.PositionsWrong:    "Several characters cannot be right. Read the VIN again from the registration.",
	vehicle.Incomplete:        "A VIN has 17 characters. Read it again from the registration.",
	vehicle.UnknownMaker:      "We do not know the maker that the VIN begins with. Compare the first three characters with the registration.",
	vehicle.NoDetailedData:    "We know little about cars with this VIN. Enter what is missing.",
	vehicle.NoModelYear:       "The VIN does not tell the model year. Enter it.",
	vehicle.OtherModelYear:    "The VIN is of another model year than the one that was entered. Which one is right?",
	vehicle.InvalidCharacters: "Some characters are not allowed in their places. Compare them with the registration.",
}

// Doubts are the reasons to ask whether a VIN is right, from the codes of its decoder.
func Doubts(codes []vehicle.Code) []Doubt {
	found := []Doubt{}
	for _, code := range codes {
		if text, ok := doubts[code]; ok {
			found = append(found, Doubt{code, text})
		}
	}
	return found
}
