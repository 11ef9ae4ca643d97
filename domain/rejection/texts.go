package rejection

import (
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// The plan has uninsured and underinsured motorist coverage in one, UMBI. A state that wants a signature for each has
// two forms for it.
//
// The texts are drafts in our own words, as their versions say; a compliance officer approves them before use. Where a
// statute prescribes the words, other words are void, so the approved version has to quote it. A text that may have
// been signed is never changed, and never removed: other words are another version. A test holds that.
//
// Each rule names its source. [K] is general knowledge that was not checked against it.
var rules = append([]rule{
	// A.R.S. 20-259.01: both must be offered in writing; the refusal itself need not be in writing (Arizona court of
	// appeals, 2011).
	{state: "AZ", offer: true, Form: Form{Code: "AZ_UM_OFFER", Coverage: rating.UMBI, When: LeftOut},
		texts: []text{{draft, from,
			"We offer you uninsured motorist coverage and underinsured motorist coverage, with limits up to those " +
				"of your bodily injury liability coverage. Uninsured motorist coverage pays for the injuries of you " +
				"and your passengers if the driver who caused them has no insurance or cannot be found. Underinsured " +
				"motorist coverage pays what is above that driver's limits. Your offer has neither. You can add them " +
				"before you accept it, and ask us for them at any time."}}},
	// Cal. Ins. Code 11580.2: a written agreement with a named insured [K].
	{state: "CA", Form: Form{Code: "CA_UM", Coverage: rating.UMBI, When: LeftOut},
		texts: []text{{draft, from,
			"I was offered uninsured motorist coverage, which pays for the injuries of me, my family and my " +
				"passengers if the driver who caused them has no insurance, too little of it, or cannot be found. I " +
				"agree with the company that my policy does not have this coverage. The agreement binds everybody " +
				"whom the policy insures, also when it is renewed, until I ask for the coverage in writing."}}},
	// Fla. Stat. 627.727: where bodily injury liability is bought, uninsured motorist coverage has its limits unless an
	// insured rejects it, or selects lower limits, in writing.
	{state: "FL", Form: Form{Code: "FL_UM", Coverage: rating.UMBI, When: LeftOut, withBI: true},
		texts: []text{{draft, from,
			"You are choosing not to buy valuable coverage that protects you and your family. I was offered " +
				"uninsured motorist coverage with the limits of my bodily injury liability coverage. It pays for the " +
				"injuries of me and my family if the driver who caused them has no insurance or too little of it. I " +
				"reject it for everybody whom my policy insures, also when it is renewed, until I ask for it in " +
				"writing."}}},
	{state: "FL", Form: Form{Code: "FL_UM_LOWER", Coverage: rating.UMBI, When: BelowBI, withBI: true},
		texts: []text{{draft, from,
			"You are choosing to buy less of a valuable coverage that protects you and your family. I was offered " +
				"uninsured motorist coverage with the limits of my bodily injury liability coverage. I choose the " +
				"lower limits that my offer states, for everybody whom my policy insures, also when it is renewed, " +
				"until I ask for higher ones in writing."}}},
	// 75 Pa.C.S. 1731: each is rejected by signing the form whose words the statute gives. These are not those words.
	{state: "PA", Form: Form{Code: "PA_UM", Coverage: rating.UMBI, When: LeftOut},
		texts: []text{{draft, from,
			"By signing this form I reject uninsured motorist coverage under this policy, for myself and for all " +
				"relatives who live in my household. It would pay us for losses and damages if we are injured by the " +
				"negligence of a driver who has no insurance to pay for them. I reject this coverage knowingly and " +
				"voluntarily."}}},
	{state: "PA", Form: Form{Code: "PA_UIM", Coverage: rating.UMBI, When: LeftOut},
		texts: []text{{draft, from,
			"By signing this form I reject underinsured motorist coverage under this policy, for myself and for " +
				"all relatives who live in my household. It would pay us for losses and damages if we are injured by " +
				"the negligence of a driver who does not have enough insurance to pay for all of them. I reject this " +
				"coverage knowingly and voluntarily."}}},
	// Tex. Ins. Code 1952.101: uninsured or underinsured motorist coverage is part of a policy unless a named insured
	// rejects it in writing.
	{state: "TX", Form: Form{Code: "TX_UM", Coverage: rating.UMBI, When: LeftOut},
		texts: []text{{draft, from,
			"I was offered uninsured and underinsured motorist coverage, which pays for the injuries of me, my " +
				"family and my passengers if the driver who caused them has no insurance, too little of it, or drove " +
				"away. I reject it for my policy and its renewals, until I ask for it in writing."}}},
	// Tex. Ins. Code 1952.152: the same for personal injury protection.
	{state: "TX", Form: Form{Code: "TX_PIP", Coverage: rating.PIP, When: LeftOut},
		texts: []text{{draft, from,
			"I was offered personal injury protection, which pays medical bills and part of the lost pay of me, " +
				"my family and my passengers after an accident, whoever was at fault. I reject it for my policy and " +
				"its renewals, until I ask for it in writing."}}},
}, exclusions("AZ", "CA", "FL", "OH", "PA", "TX")...)

// exclusions are the forms by which a named insured excludes drivers. The plan allows it in these states; that a
// signature is needed is the same in each [K].
func exclusions(states ...string) []rule {
	var all []rule
	for _, state := range states {
		all = append(all, rule{state: state, Form: Form{Code: Code(state + "_EXCLUSION"), When: DriverExcluded},
			texts: []text{{draft, from,
				"I exclude the drivers whom my offer lists as excluded. I understand that nobody is covered, not even for " +
					"injuries or damage to others, when one of them drives any car on my policy, and that this also holds when " +
					"it is renewed, until I ask for their cover in writing."}}})
	}
	return all
}

// draft is the version of the first texts, from the day on which they are first needed: that of the first rate plan.
const draft = "2026.1-draft"

var from = civil.MustParseDate("2026-01-01")
