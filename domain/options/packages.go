package options

import (
	"strconv"
	"strings"

	"milepost/domain/rating"
)

// packages have the packages of each state. A test rates every one of them.
var packages = map[string][]Package{
	"AZ": {
		pack("BASIC", "BI 25/50 PD 15", ""),
		pack("STANDARD", "BI 50/100 PD 50 UMBI 50/100 MED 2000", "COMP 500 COLL 500 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 MED 10000", "COMP 250 COLL 250 RENT 40/1200 TOW 200"),
	},
	"CA": {
		pack("BASIC", "BI 30/60 PD 15 UMBI 30/60", ""),
		pack("STANDARD", "BI 50/100 PD 50 UMBI 50/100 MED 2000", "COMP 500 COLL 1000 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 MED 10000", "COMP 250 COLL 500 RENT 50/1500 TOW 200"),
	},
	"FL": {
		pack("BASIC", "PD 10 PIP 10000", ""),
		pack("STANDARD", "BI 50/100 PD 50 UMBI 50/100 PIP 10000", "COMP 500 COLL 500 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 PIP 25000", "COMP 250 COLL 250 RENT 40/1200 TOW 200"),
	},
	"OH": {
		pack("BASIC", "BI 25/50 PD 25", ""),
		pack("STANDARD", "BI 50/100 PD 50 UMBI 50/100 MED 2000", "COMP 500 COLL 500 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 MED 10000", "COMP 250 COLL 250 RENT 40/1200 TOW 200"),
	},
	"PA": {
		pack("BASIC", "BI 15/30 PD 5 UMBI 15/30 PIP 5000", ""),
		pack("STANDARD", "BI 50/100 PD 50 UMBI 50/100 PIP 10000", "COMP 500 COLL 500 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 PIP 50000", "COMP 250 COLL 250 RENT 40/1200 TOW 200"),
	},
	"TX": {
		pack("BASIC", "BI 30/60 PD 25 UMBI 30/60 PIP 2500", ""),
		pack("STANDARD", "BI 50/100 PD 50 UMBI 50/100 PIP 2500 MED 2000", "COMP 500 COLL 500 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 PIP 10000 MED 5000", "COMP 250 COLL 250 RENT 40/1200 TOW 200"),
	},
	"VA": {
		pack("BASIC", "BI 50/100 PD 25 UMBI 50/100", ""),
		pack("STANDARD", "BI 100/300 PD 50 UMBI 100/300 MED 2000", "COMP 500 COLL 500 TOW 75"),
		pack("FULL", "BI 250/500 PD 100 UMBI 250/500 MED 10000", "COMP 250 COLL 250 RENT 40/1200 TOW 200"),
	},
}

// packageWords say what the packages are for.
var packageWords = map[string]string{
	"BASIC":    "What the law asks for, and nothing for your own car.",
	"STANDARD": "More for others, for injuries, and for your own car.",
	"FULL":     "High limits, low deductibles, a rental car and towing.",
}

// pack reads a package from pairs of coverage and selection.
func pack(name, policy, vehicle string) Package {
	return Package{Name: name, Words: packageWords[name], Coverages: selections(policy), VehicleCoverages: selections(vehicle)}
}

func selections(pairs string) rating.Selections {
	fields := strings.Fields(pairs)
	selected := rating.Selections{}
	for i := 0; i+1 < len(fields); i += 2 {
		c, text := rating.Coverage(fields[i]), fields[i+1]
		selected[c] = rating.Option(text)
		if dollars, err := strconv.Atoi(text); err == nil && (c == rating.COMP || c == rating.COLL) {
			selected[c] = rating.Deductible(dollars)
		}
	}
	return selected
}
