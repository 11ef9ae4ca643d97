package options

// DecisionCode is a usual reason of an underwriter's decision.
type DecisionCode struct {
	Code    string `json:"code"`
	Approve bool   `json:"approve"`
	Words   string `json:"words"`
}

// decisionCodes are in the order in which a form offers them.
var decisionCodes = []DecisionCode{
	{"A1", true, "The facts are verified"},
	{"A2", true, "Acceptable with the price as rated"},
	{"A3", true, "The customer corrected the facts"},
	{"N1", false, "Outside our guidelines"},
	{"N2", false, "Not verified in time"},
	{"N3", false, "Material misstatement, as compliance agrees"},
	{"N4", false, "Use or vehicle that we do not insure"},
}
