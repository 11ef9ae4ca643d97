package vehicle

import "testing"

func TestPatterns(t *testing.T) {
	t.Parallel()
	const descriptor = "CM826|3A004352"
	for name, test := range map[string]struct {
		pattern string
		want    bool
	}{
		"an empty pattern matches everything":              {"", true},
		"a pattern is a prefix":                            {"CM8", true},
		"a literal must be the character":                  {"CN8", false},
		"a star is any character":                          {"*M**6", true},
		"a star is also the bar":                           {"*****|3A", true},
		"a sixth star reaches over the bar":                {"CM826*3", true},
		"a literal bar is the bar only":                    {"CM82|", false},
		"an underscore is any character":                   {"_M", true},
		"a class is one of its characters":                 {"[ABC]M", true},
		"a class without the character does not match":     {"[ABD]M", false},
		"a range includes its ends":                        {"[A-C][M-Z]", true},
		"digits range as well":                             {"CM[6-8]", true},
		"digits and ranges mix":                            {"CM[1-46]", false},
		"a dash that joins digit and letter joins nothing": {"[1-A-JT]M", true},
		"and its digit counts":                             {"CM8[12-A]", true},
		"underscores fill a class":                         {"[CFJM_______]M", true},
		"filler is not in the class":                       {"[FJM_______]M", false},
		"I, O and Q may be in a class":                     {"[A-IOQ]M", true},
		"a range the wrong way round is empty":             {"[Z-A]M", false},
		"an excluding class":                               {"[^AB]M", true},
		"an excluding class with the character":            {"[^A-C]M", false},
		"a class may follow the bar":                       {"*****|*[A-C]", true},
		"a missing bracket ends the pattern":               {"[ABC", true},
		"an empty class matches nothing":                   {"[]M", false},
		"a digit sign is a digit":                          {"CM##", true},
		"a digit sign is no letter":                        {"C#", false},
		"a pattern as long as the descriptor matches":      {"**************", true},
		"a longer pattern does not":                        {"***************", false},
		"other characters match nothing":                   {"ÄM", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wanted [descriptorLength]charset
			if got := compare(test.pattern, descriptor, &wanted).matches; got != test.want {
				t.Errorf("%q matches %v, want %v", test.pattern, got, test.want)
			}
		})
	}
}

func TestPatternsCollectWhatTheyWantEvenWhereTheyDoNotMatch(t *testing.T) {
	t.Parallel()
	var wanted [descriptorLength]charset
	compare("X*[1-3]", "CM826|3A004352", &wanted)
	compare("C", "CM826|3A004352", &wanted)
	c := compare("**###", "CM826|3A004352", &wanted)
	if wanted[0] != charsetOf("CX") || wanted[1] != 0 || wanted[2] != digits {
		t.Errorf("wanted %b", wanted[:3])
	}
	if !c.matches || c.digitsFrom != 2 || c.digitsTo != 5 || c.named != 0b11100 {
		t.Errorf("comparison %+v", c)
	}
}

func TestDescriptor(t *testing.T) {
	t.Parallel()
	for vin, want := range map[string]string{
		"":                  "",
		"1HG":               "",
		"1HGCM":             "CM",
		"1HGCM826":          "CM826",
		"1HGCM8263":         "CM826",
		"1HGCM82633":        "CM826|3",
		"1HGCM82633A004352": "CM826|3A004352",
	} {
		if got := descriptorOf(vin); got != want {
			t.Errorf("%s: %q, want %q", vin, got, want)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("*[1-A-JT]", "CM826|3A004352")
	f.Add("[^", "C")
	f.Add("#]|_", "11")
	f.Add("000000000000000", "000000000000000")
	f.Fuzz(func(t *testing.T, pattern, descriptor string) {
		var wanted [descriptorLength]charset
		compare(pattern, descriptor, &wanted)
	})
}
