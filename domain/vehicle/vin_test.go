package vehicle_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"milepost/domain/vehicle"
)

func TestAcceptVIN(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"a published Honda is accepted":                      {"1HGCM82633A004352", nil},
		"a check digit of ten is written X":                  {"1M8GDM9AXKP042788", nil},
		"spaces around and small letters do not matter":      {" 1hgcm82633a004352\n", nil},
		"all ones pass the arithmetic":                       {"11111111111111111", nil},
		"nothing is too short":                               {"", &vehicle.LengthError{0}},
		"sixteen characters are too short":                   {"1HGCM82633A00435", &vehicle.LengthError{16}},
		"eighteen characters are too long":                   {"1HGCM82633A0043522", &vehicle.LengthError{18}},
		"the letter O is refused":                            {"1HGCM82633AO04352", &vehicle.CharacterError{12, 'O'}},
		"the letter I is refused":                            {"IHGCM82633A004352", &vehicle.CharacterError{1, 'I'}},
		"the letter Q is refused":                            {"1HGCM82633A00435Q", &vehicle.CharacterError{17, 'Q'}},
		"punctuation is refused":                             {"1HGCM826-3A004352", &vehicle.CharacterError{9, '-'}},
		"a bar is refused though patterns use it":            {"1HGCM826|3A004352", &vehicle.CharacterError{9, '|'}},
		"an umlaut is one character":                         {"1HGCM82633Ä004352", &vehicle.CharacterError{11, 'Ä'}},
		"a long s is not upper-cased to an S":                {"1HGCM82633ſ004352", &vehicle.CharacterError{11, 'ſ'}},
		"0 names no model year":                              {"1HGCM82630A004352", &vehicle.CharacterError{10, '0'}},
		"U names no model year":                              {"1HGCM8263UA004352", &vehicle.CharacterError{10, 'U'}},
		"Z names no model year":                              {"1HGCM8263ZA004352", &vehicle.CharacterError{10, 'Z'}},
		"a wrong check digit is reported with the right one": {"1HGCM82643A004352", &vehicle.CheckDigitError{'4', '3'}},
		"two neighbours exchanged break the check digit":     {"1HGCM82633A004532", &vehicle.CheckDigitError{'3', '5'}},
		"a letter is not a check digit, however valid":       {"1HGCM826A3A004352", &vehicle.CheckDigitError{'A', '3'}},
		"letters of the same value cannot be distinguished":  {"JHGCM82633J004352", nil},
		"a European VIN need not have a check digit here":    {"WVWZZZ1JZ3W386752", &vehicle.CheckDigitError{'Z', '9'}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := vehicle.AcceptVIN(test.text)
			if (err == nil) != (test.want == nil) || err != nil && err.Error() != test.want.Error() {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err == nil && v.String() != strings.ToUpper(strings.TrimSpace(test.text)) {
				t.Errorf("VIN %s", v)
			}
		})
	}
}

func TestParseVINLeavesTheCheckDigitAlone(t *testing.T) {
	t.Parallel()
	v, err := vehicle.ParseVIN("WVWZZZ1JZ3W386752")
	if err != nil {
		t.Fatal(err)
	}
	if v.CheckDigit() == 'Z' {
		t.Error("the check digit is Z")
	}
	_, err = vehicle.ParseVIN("WVWZZZ")
	if e, ok := errors.AsType[*vehicle.LengthError](err); !ok || e.Length != 6 {
		t.Errorf("error %v, want a LengthError of 6", err)
	}
}

// TestCheckDigitCatchesEveryChangeOfValue changes every character of a VIN to every other one.
func TestCheckDigitCatchesEveryChangeOfValue(t *testing.T) {
	t.Parallel()
	const vin = "1HGCM82633A004352"
	// Each row holds the characters of one value, 1 to 9; 0 is alone.
	sameValue := []string{"1AJ", "2BKS", "3CLT", "4DMU", "5ENV", "6FW", "7GPX", "8HY", "9RZ"}
	same := func(a, b byte) bool {
		for _, row := range sameValue {
			if strings.IndexByte(row, a) >= 0 {
				return strings.IndexByte(row, b) >= 0
			}
		}
		return a == b
	}
	for i := range len(vin) {
		for _, c := range []byte("0123456789ABCDEFGHJKLMNPRSTUVWXYZ") {
			changed := vin[:i] + string(c) + vin[i+1:]
			v, err := vehicle.ParseVIN(changed)
			if err != nil {
				t.Fatal(err)
			}
			right := v.CheckDigit() == changed[8]
			want := same(c, vin[i])
			if i == 8 {
				want = c == vin[i]
			}
			if right != want {
				t.Errorf("%s: check digit right %v, want %v", changed, right, want)
			}
		}
	}
}

func TestWMI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ vin, want string }{
		"of most makers has three characters":         {"1HGCM82633A004352", "1HG"},
		"of a maker of few has six":                   {"1B9TE76J5DC290464", "1B9290"},
		"depends on the third character and no other": {"9B4TE76J5DC290464", "9B4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := vehicle.ParseVIN(test.vin)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.WMI(); got != test.want {
				t.Errorf("WMI %s, want %s", got, test.want)
			}
		})
	}
	if got := (vehicle.VIN{}).WMI(); got != "" {
		t.Errorf("the zero VIN has WMI %q", got)
	}
}

func TestVINInJSONAndLogs(t *testing.T) {
	t.Parallel()
	var v vehicle.VIN
	if err := json.Unmarshal([]byte(`"1hgcm82633a004352"`), &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil || string(text) != `"1HGCM82633A004352"` {
		t.Errorf("JSON %s, error %v", text, err)
	}
	if got := v.LogValue().String(); got != "1HGCM82633A******" {
		t.Errorf("logged as %s", got)
	}
	if err := json.Unmarshal([]byte(`"1HGCM"`), &v); err == nil {
		t.Error("a short VIN was taken")
	}
}

func TestModelYears(t *testing.T) {
	t.Parallel()
	for code, early := range map[byte]int{
		'A': 1980, 'B': 1981, 'H': 1987, 'J': 1988, 'K': 1989, 'N': 1992, 'P': 1993, 'R': 1994, 'S': 1995,
		'T': 1996, 'V': 1997, 'W': 1998, 'X': 1999, 'Y': 2000, '1': 2001, '9': 2009,
	} {
		if e, l, ok := vehicle.ModelYears(code); !ok || e != early || l != early+30 {
			t.Errorf("%c: %d and %d, %v, want %d and thirty years later", code, e, l, ok, early)
		}
	}
	for _, code := range []byte("IOQUZ0*a ") {
		if _, _, ok := vehicle.ModelYears(code); ok {
			t.Errorf("%c names a year", code)
		}
	}
}
