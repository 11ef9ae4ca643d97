package quote

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// Cause is a fact behind a reason, for the underwriter who decides.
type Cause struct {
	// About is the id of the vehicle or the driver, "" for the whole quote.
	About string `json:"about,omitempty"`
	Label string `json:"label"`
	Value string `json:"value"`
	// Source is who says so.
	Source Source `json:"source"`
	// Personal is set if the value names a person, a place or one car. Such values are covered until they are revealed.
	Personal bool `json:"personal,omitempty"`
}

// Source is where a fact is from.
type Source string

// The sources: the customer, a consumer report, the decoder of VINs, and the rating.
const (
	Stated   Source = "STATED"
	Reported Source = "REPORT"
	Decoded  Source = "DECODER"
	Rated    Source = "RATING"
)

// CausedReason is a reason with the facts behind it and the evidence that an underwriter asks for.
type CausedReason struct {
	Reason
	Evidence string  `json:"evidence,omitempty"`
	Causes   []Cause `json:"causes"`
}

// Causes are the reasons of the revision's outcome, each with the facts behind it, as they were when it was rated. A
// quote that was read without its personal data has fewer.
func (r Revision) Causes() []CausedReason {
	all := []CausedReason{}
	if r.Rating == nil {
		return all
	}
	then := r.whenRated()
	subjects := then.subjects()
	for _, reason := range r.Reasons() {
		c := CausedReason{Reason: reason, Causes: []Cause{}}
		if rule, ok := shown[rating.Code(reason.Code)]; ok {
			c.Evidence = rule.evidence
			c.Causes = append(c.Causes, rule.facts(then)...)
			if only := subjects[rating.Code(reason.Code)]; only != nil {
				c.Causes = slices.DeleteFunc(c.Causes, func(f Cause) bool { return f.About != "" && !slices.Contains(only, f.About) })
			}
		}
		for _, f := range r.Contradictions {
			if string(f.Code) == reason.Code {
				c.Evidence = "Ask the customer to correct it." // its text names both facts
			}
		}
		for fact, why := range unanswered {
			if why == reason {
				c.Evidence = "Wait, or have the providers asked again."
				c.Causes = append(c.Causes, r.missing(fact)...)
			}
		}
		all = append(all, c)
	}
	return all
}

// subjects are the drivers and vehicles behind each rule of the rating, nil if the rating cannot be done again.
func (r Revision) subjects() (subjects map[rating.Code][]string) {
	plan, ok := rating.Named(r.Rating.RatePlanVersion)
	if !ok {
		return nil
	}
	// The last rating counts, which has the licenses that the records are about.
	r.rateWith(func(request rating.Request, facts rating.Facts) rating.Result {
		result := plan.Rate(request, facts)
		if subjects = nil; result.Outcome != rating.Invalid {
			subjects = plan.Subjects(request, facts)
		}
		return result
	})
	return subjects
}

// missing are the subjects whose facts did not arrive.
func (r Revision) missing(fact Fact) (all []Cause) {
	if fact == FactVehicles {
		for _, v := range r.PendingVehicles() {
			all = append(all, Cause{About: v.VehicleID, Label: "Not answered", Value: "VIN lookup", Source: Decoded})
		}
		return all
	}
	for _, d := range r.PendingDrivers() {
		all = append(all, Cause{About: d.DriverID, Label: "Not answered", Value: "accident history", Source: Reported})
	}
	return all
}

// shown says what is shown for each underwriting rule.
var shown = map[rating.Code]struct {
	facts    func(Revision) []Cause
	evidence string
}{
	"D01": {incidentsOf(accident.DUI), ""},
	"D02": {incidentsOf(accident.AtFaultAccident), ""},
	"D03": {perVehicle(bodyOf), ""},
	"D04": {perVehicle(bodyOf), ""},
	"D05": {perVehicle(titleOf), ""},
	"D06": {perVehicle(useOf), ""},
	"D07": {licenses, ""},
	"R01": {incidentsOf(accident.DUI), "Was a program completed? Is there an ignition lock?"},
	"R02": {incidentsOf(accident.AtFaultAccident), "Letters on who was at fault."},
	"R03": {points, "Are two of them one event?"},
	"R04": {incidentsOf(accident.MajorViolation), "The court's paper, if it is filed under the wrong type."},
	"R05": {licenses, "A copy of the license; or exclude the driver, where the state allows it."},
	"R06": {perVehicle(valueOf, modelOf, antiTheftOf, garagedOf), "An invoice or appraisal, and photos."},
	"R07": {perVehicle(titleOf, coveredOf, valueOf), "An inspection and photos; or suggest liability only."},
	"R08": {perVehicle(vinOf, modelOf), "A photo of the VIN plate or the registration. Only a corrected VIN can be approved."},
	"R09": {perVehicle(vinOf, modelOf, bodyOf), "The registration."},
	"R10": {perVehicle(yearOf, valueOf, useOf, coveredOf), "An appraisal."},
	"R11": {perVehicle(useOf, bodyOf), "A statement of personal use."},
	"R12": {counts, "Is it all one household? Is it the fleet of a business?"},
	"R13": {perVehicle(garagedOf), "The lease or a utility bill: a second home, or the wrong state?"},
}

// plainly writes a code of the request in words: SCHOOL_BUS is "school bus".
func plainly[T ~string](code T) string {
	return strings.ToLower(strings.ReplaceAll(string(code), "_", " "))
}

func dayOf(d civil.Date) string { return d.In(time.UTC).Format("January 2, 2006") }

func points(r Revision) (all []Cause) {
	for _, d := range r.Rating.Drivers {
		for _, c := range d.Charged {
			value := dayOf(c.Date) + ", " + strconv.Itoa(c.Points) + " points"
			all = append(all, Cause{About: d.DriverID, Label: c.Type.Words(), Value: value, Source: Rated})
		}
		all = append(all, Cause{About: d.DriverID, Label: "points together", Value: strconv.Itoa(d.Points), Source: Rated})
	}
	return all
}

func counts(r Revision) []Cause {
	return []Cause{
		{Label: "vehicles", Value: strconv.Itoa(len(r.Request.Vehicles)), Source: Stated},
		{Label: "rated drivers", Value: strconv.Itoa(len(r.ratedDrivers())), Source: Stated},
	}
}

// incidentsOf are the incidents of a type, as they are stated and as reports have them.
func incidentsOf(t accident.Type) func(Revision) []Cause {
	return func(r Revision) (all []Cause) {
		for _, d := range r.ratedDrivers() {
			all = append(all, incidents(d.DriverID, d.Incidents, t, Stated)...)
			for _, l := range r.Drivers {
				if l.DriverID == d.DriverID {
					all = append(all, incidents(d.DriverID, l.History.Incidents, t, Reported)...)
				}
			}
		}
		return all
	}
}

func incidents(driver string, of []accident.Incident, t accident.Type, source Source) (all []Cause) {
	for _, i := range of {
		if i.Type != t {
			continue
		}
		words := []string{dayOf(i.Date)}
		if i.FaultPct != nil {
			words = append(words, strconv.Itoa(*i.FaultPct)+" percent at fault")
		}
		if !i.AmountPaid.IsZero() {
			words = append(words, "$"+i.AmountPaid.String()+" paid")
		}
		if i.BodilyInjury {
			words = append(words, "somebody was hurt")
		}
		all = append(all, Cause{About: driver, Label: t.Words(), Value: strings.Join(words, ", "), Source: source})
	}
	return all
}

// licenses are the drivers' licenses as they are stated, and as the state's records have them.
func licenses(r Revision) (all []Cause) {
	for _, d := range r.ratedDrivers() {
		all = append(all, Cause{About: d.DriverID, Label: "license", Value: plainly(d.LicenseStatus), Source: Stated})
		for _, l := range r.Drivers {
			if l.DriverID == d.DriverID && l.LicenseStatus != "" {
				all = append(all, Cause{About: d.DriverID, Label: "license", Value: plainly(l.LicenseStatus), Source: Reported})
			}
		}
	}
	return all
}

// perVehicle are facts of each vehicle, of which the decoder's are zero if it did not answer. Facts without a value are
// left out.
func perVehicle(facts ...func(rating.Vehicle, vehicle.Fact) []Cause) func(Revision) []Cause {
	return func(r Revision) (all []Cause) {
		decoded := r.Facts().VIN
		for _, v := range r.Request.Vehicles {
			for _, fact := range facts {
				for _, c := range fact(v, decoded[v.VehicleID]) {
					if c.About = v.VehicleID; c.Value != "" {
						all = append(all, c)
					}
				}
			}
		}
		return all
	}
}

func titleOf(v rating.Vehicle, _ vehicle.Fact) []Cause {
	return []Cause{{Label: "title", Value: plainly(v.TitleStatus), Source: Stated}}
}

func useOf(v rating.Vehicle, _ vehicle.Fact) []Cause {
	return []Cause{{Label: "use", Value: fmt.Sprintf("%s, %d miles a year", plainly(v.Use), v.AnnualMileage), Source: Stated}}
}

func antiTheftOf(v rating.Vehicle, _ vehicle.Fact) []Cause {
	return []Cause{{Label: "protection against theft", Value: plainly(v.AntiTheft), Source: Stated}}
}

func valueOf(v rating.Vehicle, _ vehicle.Fact) []Cause {
	return []Cause{
		{Label: "value today", Value: "$" + v.Value.String(), Source: Stated},
		{Label: "price new", Value: "$" + v.MSRP.String(), Source: Stated},
	}
}

func garagedOf(v rating.Vehicle, _ vehicle.Fact) []Cause {
	return []Cause{{Label: "kept in ZIP", Value: v.GaragingZIP, Source: Stated, Personal: true}}
}

func vinOf(v rating.Vehicle, decoded vehicle.Fact) []Cause {
	answer := plainly(decoded.Status)
	if decoded.ErrorCode != "" && decoded.ErrorCode != "0" {
		answer += ", codes " + decoded.ErrorCode
	}
	return []Cause{{Label: "VIN", Value: v.VIN, Source: Stated, Personal: true}, {Label: "VIN", Value: answer, Source: Decoded}}
}

func yearOf(v rating.Vehicle, decoded vehicle.Fact) []Cause {
	all := []Cause{{Label: "model year", Value: strconv.Itoa(v.ModelYear), Source: Stated}}
	if decoded.ModelYear != 0 {
		all = append(all, Cause{Label: "model year", Value: strconv.Itoa(decoded.ModelYear), Source: Decoded})
	}
	return all
}

func modelOf(v rating.Vehicle, decoded vehicle.Fact) []Cause {
	return []Cause{
		{Label: "car", Value: named(v.ModelYear, v.Make, v.Model), Source: Stated},
		{Label: "car", Value: named(decoded.ModelYear, decoded.Make, decoded.Model), Source: Decoded},
	}
}

func named(year int, maker, model string) string {
	words := strings.Fields(maker + " " + model)
	if year != 0 {
		words = append([]string{strconv.Itoa(year)}, words...)
	}
	return strings.Join(words, " ")
}

func bodyOf(v rating.Vehicle, decoded vehicle.Fact) []Cause {
	return []Cause{
		{Label: "body", Value: v.BodyClass, Source: Stated},
		{Label: "body", Value: decoded.BodyClass, Source: Decoded},
		{Label: "weight", Value: decoded.GVWR, Source: Decoded},
	}
}

func coveredOf(v rating.Vehicle, _ vehicle.Fact) []Cause {
	var words []string
	for _, c := range []rating.Coverage{rating.COMP, rating.COLL} {
		if s, ok := v.Coverages[c]; ok {
			words = append(words, fmt.Sprintf("%s %v", c, s))
		}
	}
	return []Cause{{Label: "covered", Value: strings.Join(words, ", "), Source: Stated}}
}
