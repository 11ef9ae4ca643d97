package vehicle_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"milepost/domain/vehicle"
)

// decode fails the test if a VIN is refused.
func decode(t testing.TB, vin string, o vehicle.Options) vehicle.Decoded {
	t.Helper()
	d, err := vehicle.Decode(vin, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecode(t *testing.T) {
	t.Parallel()
	limit := vehicle.Options{YearLimit: testYearLimit}
	for name, test := range map[string]struct {
		vin        string
		options    vehicle.Options
		year       int
		conclusive bool
		make       string
		model      string
		codes      string
	}{
		"a car with a digit in position 7 is of the first cycle": {
			"1HGCM82633A004352", limit, 2003, true, "HONDA", "Accord", "0"},
		"a car with a letter in position 7 is of the second cycle": {
			"5YJSA1E26JF000013", limit, 2018, true, "TESLA", "Model S", "0"},
		"a pickup's year is open and decided by what the VIN explains": {
			"1FTFW5L86RFB45612", limit, 2024, false, "FORD", "F-150", "0"},
		"a motorcycle with a digit in position 7 may be new": {
			"LBBTAU025GB235733", limit, 2016, false, "BENELLI", "Caffenero", "0,14"},
		"a truck with a letter in position 7 may be old": {
			"2C7WJ8S67SL728419", limit, 1995, false, "PONTIAC", "Grand Prix", "0,14"},
		"a year beyond the limit is of the first cycle": {
			"1M8GDM9AXKP042788", vehicle.Options{YearLimit: 2018}, 1989, true, "MOTOR COACH INDUSTRIES", "102C3 Intercity", "0"},
		"the limit decides even for a letter in position 7": {
			"5YJSA1E26JF000013", vehicle.Options{YearLimit: 2017}, 1988, true, "TESLA", "", "8"},
		"a year without a schema of the maker loses to the other": {
			"5YJSA1126JF000013", limit, 2018, true, "TESLA", "Model S", "1,2,14"},
		"a maker of few vehicles is known by six characters": {
			"1B9TE76J5DC290464", limit, 2013, false, "BAY EQUIPMENT AND REPAIR (BEAR)", "BAY EQUIPMENT AND REPAIR (BEAR)", "0,14"},
		"an unknown maker leaves nothing, not even the year": {
			"ZZZLSBF87TA480534", limit, 0, false, "", "", "7"},
		"a year that the VIN does not allow is preferred if it explains anything": {
			"1HGCM82633A004352", vehicle.Options{YearLimit: testYearLimit, ModelYear: 1999}, 1999, true, "HONDA", "", "0,12,14"},
		"a year that the VIN does not allow is dropped if it explains nothing": {
			"5YJSA1E26JF000013", vehicle.Options{YearLimit: testYearLimit, ModelYear: 1999}, 2018, true, "TESLA", "Model S", "0,12"},
		"the requested year does not matter if the VIN agrees": {
			"1HGCM82633A004352", vehicle.Options{YearLimit: testYearLimit, ModelYear: 2003}, 2003, true, "HONDA", "Accord", "0"},
		"a year beyond the limit is not used but noted": {
			"1HGCM82633A004352", vehicle.Options{YearLimit: testYearLimit, ModelYear: 2033}, 2003, true, "HONDA", "Accord", "0,12"},
		"a short VIN is decoded as far as it goes": {
			"5YJSA1E26J", limit, 2018, true, "TESLA", "Model S", "6"},
		"a partial VIN may have stars": {
			"5YJSA1E2*JF", limit, 2018, true, "TESLA", "Model S", "6"},
		"nothing decodes to nothing": {
			" ", limit, 0, false, "", "", "6,7,11"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := decode(t, test.vin, test.options)
			if d.ModelYear != test.year || d.YearConclusive != test.conclusive {
				t.Errorf("year %d, conclusive %v, want %d, %v", d.ModelYear, d.YearConclusive, test.year, test.conclusive)
			}
			if d.Make != test.make || d.Model != test.model {
				t.Errorf("%s %s, want %s %s", d.Make, d.Model, test.make, test.model)
			}
			if codes := vehicle.JoinCodes(d.ErrorCodes); codes != test.codes {
				t.Errorf("codes %s, want %s", codes, test.codes)
			}
		})
	}
}

func TestDecodeSuggestsAVINWhereThereIsOne(t *testing.T) {
	t.Parallel()
	for vin, want := range map[string]string{
		"1HGCM82633A004352": "",
		"1P3EW6RR4PD808298": "1P3EW6!R4PD808298",
		"KL5JJ8QK68K967970": "KL5JJ87K68K967970",
	} {
		if got := decode(t, vin, vehicle.Options{YearLimit: testYearLimit}).SuggestedVIN; got != want {
			t.Errorf("%s: suggested %q, want %q", vin, got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	limit := vehicle.Options{YearLimit: testYearLimit}
	_, err := vehicle.Decode("1HGCM82633A0043521", limit)
	if e, ok := errors.AsType[*vehicle.LengthError](err); !ok || e.Length != 18 {
		t.Errorf("18 characters: %v", err)
	}
	_, err = vehicle.Decode("1HGCM82633Ä", limit)
	if e, ok := errors.AsType[*vehicle.CharacterError](err); !ok || e.Position != 11 {
		t.Errorf("an umlaut: %v", err)
	}
	if _, err = vehicle.Decode("1HG\x00", limit); err == nil {
		t.Error("a control character was taken")
	}
	if _, err = vehicle.Decode("1HGCM82633A004352", vehicle.Options{}); err == nil {
		t.Error("a missing year limit was taken")
	}
}

func TestFactOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		decoded vehicle.Decoded
		want    vehicle.Fact
	}{
		"a clean decode is found": {
			vehicle.Decoded{ErrorCodes: []vehicle.Code{0}, Make: "HONDA", Model: "Accord", ModelYear: 2022, BodyClass: "Sedan/Saloon", GVWR: "Class 1C"},
			vehicle.Fact{Status: vehicle.Found, ErrorCode: "0", Make: "HONDA", Model: "Accord", ModelYear: 2022, BodyClass: "Sedan/Saloon", GVWR: "Class 1C"}},
		"a doubtful decode is found, with its codes": {
			vehicle.Decoded{ErrorCodes: []vehicle.Code{5, 14}, Make: "HONDA"},
			vehicle.Fact{Status: vehicle.Found, ErrorCode: "5,14", Make: "HONDA"}},
		"an unknown maker is not found": {
			vehicle.Decoded{ErrorCodes: []vehicle.Code{1, 7}},
			vehicle.Fact{Status: vehicle.NotFound, ErrorCode: "1,7"}},
		"no detailed data is not found": {
			vehicle.Decoded{ErrorCodes: []vehicle.Code{8}, Make: "HONDA", ModelYear: 2019},
			vehicle.Fact{Status: vehicle.NotFound, ErrorCode: "8", Make: "HONDA", ModelYear: 2019}},
		"no detailed data with make and body is found": {
			vehicle.Decoded{ErrorCodes: []vehicle.Code{8}, Make: "HONDA", BodyClass: "Trailer"},
			vehicle.Fact{Status: vehicle.Found, ErrorCode: "8", Make: "HONDA", BodyClass: "Trailer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := vehicle.FactOf(test.decoded); got != test.want {
				t.Errorf("fact %+v, want %+v", got, test.want)
			}
		})
	}
}

// FuzzDecode asserts what holds of every decode: it does not panic, its codes are in order and its year is within
// reason.
func FuzzDecode(f *testing.F) {
	for _, vin := range []string{"", "1", "SJZ", "1HGCM82633A004352", "1B9TE76J5DC290464", "QQ1XB6DU7H8547533",
		"WVWZZZ1JZ3W386752", "5YJSA1E2*JF", "1B9 [*]#|_^%\x7f", "Ä1HG\xff"} {
		f.Add(vin, 2028, 0)
		f.Add(vin, 2028, 2003)
	}
	f.Fuzz(func(t *testing.T, vin string, limit, year int) {
		d, err := vehicle.Decode(vin, vehicle.Options{YearLimit: limit, ModelYear: year})
		if err != nil {
			return
		}
		if len(d.ErrorCodes) == 0 || !slices.IsSorted(d.ErrorCodes) || len(slices.Compact(slices.Clone(d.ErrorCodes))) != len(d.ErrorCodes) {
			t.Errorf("%q: codes %v", vin, d.ErrorCodes)
		}
		if d.ModelYear != 0 && (d.ModelYear < 1980 || d.ModelYear > max(limit, 2009)) {
			t.Errorf("%q: year %d with limit %d", vin, d.ModelYear, limit)
		}
	})
}

// benchmarkVINs returns the VINs of the sample file in a fixed random order.
func benchmarkVINs(b *testing.B) []string {
	b.Helper()
	data, err := os.ReadFile("testdata/vins.json")
	if err != nil {
		b.Fatal(err)
	}
	var vins []string
	for _, match := range regexp.MustCompile(`"vin": "([^"]{17})"`).FindAllSubmatch(data, -1) {
		vins = append(vins, string(match[1]))
	}
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(vins), func(i, j int) { vins[i], vins[j] = vins[j], vins[i] })
	return vins
}

func BenchmarkDecode(b *testing.B) {
	vins := benchmarkVINs(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		decode(b, vins[i%len(vins)], vehicle.Options{YearLimit: testYearLimit})
	}
}

const firstDecode = "MILEPOST_FIRST_DECODE"

// TestFirstDecode is the process that BenchmarkFirstDecode starts.
func TestFirstDecode(t *testing.T) {
	vin := os.Getenv(firstDecode)
	if vin == "" {
		t.Skip("only of use to BenchmarkFirstDecode")
	}
	start := time.Now()
	decode(t, vin, vehicle.Options{YearLimit: testYearLimit})
	t.Logf("first decode took %d ns", time.Since(start).Nanoseconds())
}

// BenchmarkFirstDecode measures the first decode of a new process, which loads the pages it touches.
// The time per operation includes starting the process; the metric to look at is first-decode-ms.
func BenchmarkFirstDecode(b *testing.B) {
	vins := benchmarkVINs(b)
	var sum, worst float64
	n := 0
	for ; b.Loop(); n++ {
		command := exec.Command(os.Args[0], "-test.run=^TestFirstDecode$", "-test.v")
		command.Env = append(os.Environ(), firstDecode+"="+vins[n%len(vins)])
		out, err := command.Output()
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(out), "first decode took ")
		text, _, _ := strings.Cut(rest, " ns")
		ns, err := strconv.ParseFloat(text, 64)
		if err != nil {
			b.Fatalf("%v in %s", err, out)
		}
		sum += ns
		worst = max(worst, ns)
	}
	b.ReportMetric(sum/float64(n)/1e6, "first-decode-ms")
	b.ReportMetric(worst/1e6, "worst-ms")
}
