package plausible

import "milepost/domain/rating"

// Codes are the codes of all rules.
func Codes() (codes []rating.Code) {
	codes = append(codes, codesOf(policyRules)...)
	codes = append(codes, codesOf(driverRules)...)
	codes = append(codes, codesOf(incidentRules)...)
	codes = append(codes, codesOf(driverPairRules)...)
	codes = append(codes, codesOf(carRules)...)
	codes = append(codes, codesOf(carPairRules)...)
	return append(codes, codesOf(textRules)...)
}

func codesOf[T any](rules []rule[T]) (codes []rating.Code) {
	for _, r := range rules {
		codes = append(codes, r.code)
	}
	return codes
}
