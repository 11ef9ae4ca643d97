package rejection

import "milepost/domain/civil"

// Words is one version of the text of a form.
type Words struct {
	State   string
	Code    Code
	Version string
	From    civil.Date
	Words   string
}

// Texts are all versions of all texts.
func Texts() []Words {
	var all []Words
	for _, r := range rules {
		for _, t := range r.texts {
			all = append(all, Words{r.state, r.Code, t.version, t.from, t.words})
		}
	}
	return all
}
