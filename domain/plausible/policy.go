package plausible

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"milepost/domain/civil"
	"milepost/domain/phone"
	"milepost/domain/rating"
)

const prior = "/policy/priorInsurance"

// policyRules are about the application as a whole.
var policyRules = []rule[*policy]{
	{"F30_PRIOR_RANGE", prior + "/expirationDate",
		func(p *policy) bool {
			prior := p.Policy.PriorInsurance
			return prior.HasPrior && (prior.ExpirationDate.IsZero() || prior.ExpirationDate.After(p.QuoteDate.AddMonths(13)) ||
				prior.ExpirationDate.Before(p.QuoteDate.AddYears(-5)))
		},
		say[*policy]("The end of the prior insurance is missing, more than 13 months ahead or more than 5 years ago. Enter the day on which the last term ends or ended; for older insurance enter hasPrior false.")},
	{"F30_PRIOR_RANGE", prior + "/biLimit",
		func(p *policy) bool { return p.Policy.PriorInsurance.HasPrior && p.Policy.PriorInsurance.BILimit == "" },
		say[*policy]("The limit of the prior insurance is missing. Enter its bodily injury limit for each person and accident, such as 50/100.")},
	{"F34_PRIOR_LIMIT", prior + "/biLimit",
		func(p *policy) bool {
			person, accident, ok := splitLimit(p.Policy.PriorInsurance.BILimit)
			return ok && person > accident
		},
		say[*policy]("The limit for one person is above the limit for the whole accident. Enter the limit for each person first, such as 50/100.")},
	{"F31_CONTRADICT_PRIOR", prior + "/hasPrior",
		func(p *policy) bool {
			prior := p.Policy.PriorInsurance
			return !prior.HasPrior && (!prior.ExpirationDate.IsZero() || prior.BILimit != "")
		},
		say[*policy]("There is no prior insurance, but an end or a limit of it. Enter hasPrior true, or leave expirationDate and biLimit out.")},
	{"A32_PRIOR_YOUNG", prior + "/hasPrior",
		func(p *policy) bool {
			young := func(d rating.Driver) bool {
				return !d.Rated() || civil.CompletedYears(d.DateOfBirth, p.QuoteDate) < 17
			}
			return p.Policy.PriorInsurance.HasPrior && slices.ContainsFunc(p.Drivers, rating.Driver.Rated) &&
				!slices.ContainsFunc(p.Drivers, func(d rating.Driver) bool { return !young(d) })
		},
		say[*policy]("All rated drivers are under 17 and had insurance before. Was it a parent's policy?")},
	{"A33_PRIOR_STATE", prior + "/biLimit",
		func(p *policy) bool {
			minimum, ok := rating.MinimumLimits(p.State, p.QuoteDate)
			had, _, stated := splitLimit(p.Policy.PriorInsurance.BILimit)
			least, _, known := splitLimit(minimum.BI)
			return ok && stated && known && had < least
		},
		say[*policy]("The prior limit is below the minimum of the state. Was it a policy of another state?")},
	{"F35_PHONE", "/contact/phone",
		func(p *policy) bool { return p.TextedPhone != "" && !phone.Textable(p.TextedPhone) },
		say[*policy]("Text messages do not go to this number. Enter the number of a phone in the United States, such as +16145550100, or leave the consent to text messages out.")},
}

// splitLimit reads a limit "person/accident" in thousands of dollars.
func splitLimit(limit string) (person, accident int, ok bool) {
	first, second, split := strings.Cut(limit, "/")
	person, err1 := strconv.Atoi(first)
	accident, err2 := strconv.Atoi(second)
	return person, accident, split && err1 == nil && err2 == nil
}

// textRules are about texts with no other rule.
var textRules = []rule[Text]{
	{"F33_TEXT", "", func(t Text) bool { return !oneLine(t.Value) },
		say[Text]("The text has control characters. Enter one line of visible characters.")},
	{"F33_TEXT", "", func(t Text) bool { return t.Value != "" && !strings.ContainsFunc(t.Value, letterOrDigit) },
		say[Text]("The text has neither a letter nor a digit. Enter it again, or leave it out where it may be left out.")},
}

// oneLine reports whether a text is one line of visible characters. Characters that only change the direction in
// which others are shown are refused too: what is read would not be what is stored.
func oneLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Bidi_Control) || r == unicode.ReplacementChar
	})
}

// Legible reports whether a text of several lines has no control characters but line breaks and tabs.
func Legible(text string) bool {
	return oneLine(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(text))
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
