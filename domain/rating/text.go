package rating

// Text explains a reason in the words of a plan. A plan that is not known, as with a request that no
// plan is for, leaves the validation's own words.
func Text(planVersion string, code Code) string {
	for _, p := range loadPlans() {
		if p.Version() == planVersion {
			return p.Text(code)
		}
	}
	return validationTexts[code]
}
