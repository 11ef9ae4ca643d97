package plausible

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/rating"
	"milepost/domain/vehicle"
)

// car is the subject of the rules about one vehicle.
type car struct {
	*policy
	rating.Vehicle
	// decoded is nil unless the VIN was decoded and may be trusted, as in the rating.
	decoded *vehicle.Fact
	// year and body are what is rated: the decoder's, or else those stated.
	year int
	body rating.Body
}

func newCar(p *policy, i int, vins map[string]vehicle.Fact) *car {
	c := &car{policy: p, Vehicle: p.Vehicles[i], year: p.Vehicles[i].ModelYear}
	class := c.BodyClass
	if fact := vins[c.VehicleID]; fact.Status == vehicle.Found {
		if _, err := vehicle.AcceptVIN(c.VIN); err == nil {
			c.decoded, c.year, class = &fact, fact.ModelYear, fact.BodyClass
		}
	}
	c.body = c.bodyOf(class)
	return c
}

func (c *car) bodyOf(class string) rating.Body {
	if c.plan == nil {
		return rating.UnknownBody
	}
	return c.plan.Body(class)
}

// newest is the newest model year that can exist on the day of the quote: production may begin on 2 January of the
// year before (40 CFR 85.2302).
func (c *car) newest() int {
	if c.QuoteDate.Month() == time.January && c.QuoteDate.Day() == 1 {
		return c.QuoteDate.Year()
	}
	return c.QuoteDate.Year() + 1
}

// insured reports whether the car itself is insured against damage.
func (c *car) insured() bool {
	_, comp := c.Coverages[rating.COMP]
	_, coll := c.Coverages[rating.COLL]
	return comp || coll
}

// Limits for the miles and the price of a vehicle.
const (
	maxMiles       = 200_000
	maxOneWay      = 200
	highMiles      = 60_000
	highPleasure   = 40_000
	leastCommutes  = 150 // days a year
	minMSRP        = 1_000
	maxMSRP        = 5_000_000
	firstModelYear = 1900
	firstVINYear   = 1981 // of VINs with 17 characters
)

var carRules = []rule[*car]{
	{"F21_MODEL_YEAR_OLD", "/modelYear", func(c *car) bool { return c.ModelYear < firstModelYear },
		say[*car]("No car of this model year is insured here. Enter the model year with all four digits.")},
	{"F20_MODEL_YEAR_FUTURE", "/modelYear", func(c *car) bool { return c.ModelYear > c.newest() },
		say[*car]("Cars of this model year are not built yet. Enter the model year on the registration.")},
	{"C20_MODEL_YEAR_EARLY", "/modelYear",
		func(c *car) bool {
			return c.decoded == nil && c.ModelYear == c.QuoteDate.Year()+1 && c.QuoteDate.Month() < time.June
		},
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s is of model year %d, which is rarely sold before June of %d", c.VehicleID, c.ModelYear, c.QuoteDate.Year())
		}},
	{"C21_PRE_1981", "/modelYear", func(c *car) bool { return c.year >= firstModelYear && c.year < firstVINYear },
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s is of model year %d, and VINs of 17 characters began in %d", c.VehicleID, c.year, firstVINYear)
		}},
	{"C22_VIN_YEAR", "/modelYear",
		func(c *car) bool {
			return c.decoded != nil && c.decoded.ModelYear != 0 && c.decoded.ModelYear != c.ModelYear
		},
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s: the VIN is of a %d, stated is a %d; the VIN's is rated", c.VehicleID, c.decoded.ModelYear, c.ModelYear)
		}},
	{"C23_VIN_MAKE", "/make",
		func(c *car) bool {
			return c.decoded != nil && c.decoded.Make != "" && strings.TrimSpace(c.Make) != "" &&
				!sameMake(c.decoded.Make, c.Make, c.decoded.ModelYear)
		},
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s: the VIN is of a %s, stated is another make; the VIN's is rated", c.VehicleID, c.decoded.Make)
		}},
	{"C24_VIN_BODY", "/bodyClass", func(c *car) bool { return c.otherModel() && c.otherBody() },
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s: the VIN is of a %s (%s), stated is another model (%s); the VIN's is rated",
				c.VehicleID, c.decoded.Model, c.body, c.bodyOf(c.BodyClass))
		}},
	{"A24_VIN_MODEL", "/model", func(c *car) bool { return c.otherModel() && !c.otherBody() },
		say[*car]("The VIN is of another model. Is the VIN right?")},
	textRule("/make", func(c *car) string { return c.Make }),
	textRule("/model", func(c *car) string { return c.Model }),
	textRule("/bodyClass", func(c *car) string { return c.BodyClass }),
	{"F23_MSRP_RANGE", "/msrp", func(c *car) bool { return outside(c.MSRP, minMSRP, maxMSRP) },
		say[*car]("Enter what this model cost new, with options: from 1000 to 5000000 dollars.")},
	{"C26_MSRP_CLASS", "/msrp",
		func(c *car) bool {
			band, ok := c.priceBand()
			return ok && outside(c.MSRP, band.low, band.high)
		},
		func(c *car) string {
			band, _ := c.priceBand()
			return fmt.Sprintf("Vehicle %s: $%s when new, for a %s of %d which cost from $%d to $%d", c.VehicleID, c.MSRP, c.body, c.year, band.low, band.high)
		}},
	{"C27_VALUE_AGE", "/value",
		func(c *car) bool {
			band, ok := c.valueBand()
			return ok && c.insured() && (c.ratioBelow(band.low) || c.ratioAbove(band.high))
		},
		func(c *car) string {
			band, _ := c.valueBand()
			return fmt.Sprintf("Vehicle %s: worth $%s today and $%s when new; at its age cars are worth %d to %d percent of that",
				c.VehicleID, c.Value, c.MSRP, band.low, band.high)
		}},
	{"F26_ZIP", "/garagingZip", func(c *car) bool { return !isZIP(c.GaragingZIP) },
		say[*car]("There is no such ZIP code. Enter the five digits of the place where the car sleeps most nights.")},
	{"C32_ZIP_MILITARY", "/garagingZip", func(c *car) bool { return strings.HasPrefix(c.GaragingZIP, "340") },
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s sleeps at a ZIP code of military mail (340), which is no place for a car", c.VehicleID)
		}},
	{"A30_FARM_CITY", "/use",
		func(c *car) bool {
			return c.Use == rating.Farm && c.plan != nil && !c.plan.InDefaultTerritory(c.State, c.GaragingZIP)
		},
		say[*car]("The car is used on a farm and sleeps in a city. Is it used on a farm or ranch?")},
	{"F24_MILES", "/oneWayMiles", func(c *car) bool { return c.OneWayMiles < 0 || c.OneWayMiles > maxOneWay },
		say[*car]("Enter the miles of one way to work or school, from 0 to 200.")},
	{"F25_COMMUTE_MILES", "/oneWayMiles", func(c *car) bool { return c.Use == rating.Commute && c.OneWayMiles == 0 },
		say[*car]("The car is driven to work or school. Enter the miles of one way, at least 1; for other trips use PLEASURE.")},
	{"F24_MILES", "/annualMileage", func(c *car) bool { return c.AnnualMileage < 0 || c.AnnualMileage > maxMiles },
		say[*car]("Enter the miles that the car is driven in a year, from 0 to 200000.")},
	{"C28_MILES_CONTRADICT", "/annualMileage",
		func(c *car) bool {
			return c.Use == rating.Commute && c.AnnualMileage < 2*c.OneWayMiles*leastCommutes
		},
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s: %d miles a year, and %d miles one way to work, which are at least %d a year",
				c.VehicleID, c.AnnualMileage, c.OneWayMiles, 2*c.OneWayMiles*leastCommutes)
		}},
	{"C29_MILES_HIGH", "/annualMileage",
		func(c *car) bool {
			return c.AnnualMileage > highMiles || c.Use == rating.Pleasure && c.AnnualMileage > highPleasure
		},
		func(c *car) string {
			return fmt.Sprintf("Vehicle %s: %d miles a year, used as %s", c.VehicleID, c.AnnualMileage, c.Use)
		}},
	{"A26_SAFETY", "/restraint",
		func(c *car) bool {
			return c.year >= 1999 && (c.Restraint == rating.RestraintNone || c.Restraint == rating.RestraintDriver)
		},
		say[*car]("Cars since model year 1999 have airbags for driver and passenger. Is this right?")},
	{"A26_SAFETY", "/abs", func(c *car) bool { return c.year >= 2013 && !c.ABS },
		say[*car]("Cars since model year 2012 have antilock brakes. Is this right?")},
}

// textRule is about a word that describes the vehicle. It may be missing: then the decoder has to know.
func textRule(member string, text func(*car) string) rule[*car] {
	return rule[*car]{"F33_TEXT", member, func(c *car) bool { return !oneLine(text(c)) },
		say[*car]("The text has control characters. Enter one line of visible characters.")}
}

// makes are the names under which one make is known, in the form that folded returns.
var makes = map[string]string{"CHEVY": "CHEVROLET", "VW": "VOLKSWAGEN", "MERCEDES": "MERCEDESBENZ", "BENZ": "MERCEDESBENZ",
	"LANDROVERUSA": "LANDROVER", "HARLEY": "HARLEYDAVIDSON"}

// sameMake compares makes. Trucks of RAM were sold as DODGE before 2010.
func sameMake(decoded, stated string, year int) bool {
	name := func(text string) string {
		text = folded(text)
		if known, ok := makes[text]; ok {
			text = known
		}
		if text == "RAM" && year < 2010 {
			text = "DODGE"
		}
		return text
	}
	a, b := name(decoded), name(stated)
	return a == b || strings.HasPrefix(b, a) || strings.HasPrefix(a, b)
}

// otherModel reports whether the decoder knows the model, and the stated one cannot mean it: models are stated with
// trims and without, as F-150, F150 and F150 SuperCrew.
func (c *car) otherModel() bool {
	if c.decoded == nil {
		return false
	}
	a, b := folded(c.decoded.Model), folded(c.Model)
	return a != "" && b != "" && !strings.Contains(a, b) && !strings.Contains(b, a)
}

// otherBody reports whether the decoder and the customer name different bodies, both known.
func (c *car) otherBody() bool {
	stated := c.bodyOf(c.BodyClass)
	return c.decoded != nil && stated != rating.UnknownBody && c.body != rating.UnknownBody && stated != c.body
}

// band is a range with both ends in it.
type band struct{ low, high int64 }

// priceBands are what vehicles of model years from 2000 cost new, in dollars.
var priceBands = map[rating.Body]band{
	rating.Sedan: {9_000, 250_000}, rating.Coupe: {12_000, 500_000}, rating.Convertible: {12_000, 500_000},
	rating.Wagon: {12_000, 300_000}, rating.SUV: {12_000, 300_000}, rating.Pickup: {12_000, 150_000},
	rating.Minivan: {15_000, 80_000}, rating.CargoVan: {15_000, 90_000},
}

// priceBand is the band of the car when it was new. Before 2000 cars cost down to half of that.
func (c *car) priceBand() (band, bool) {
	b, ok := priceBands[c.body]
	if c.year < 2000 {
		b.low /= 2
	}
	return b, ok && c.year >= firstVINYear
}

// valueBands are what cars of an age are worth, in percent of their price when new.
var valueBands = []struct {
	through int
	band
}{
	{1, band{60, 115}}, {3, band{40, 105}}, {6, band{25, 95}}, {10, band{12, 80}}, {15, band{5, 70}}, {25, band{2, 60}},
}

// valueBand is the band of the car at its age; there is none for cars older than 25 years.
func (c *car) valueBand() (band, bool) {
	age := max(0, c.EffectiveDate.Year()-c.year)
	i := slices.IndexFunc(valueBands, func(row struct {
		through int
		band
	}) bool {
		return age <= row.through
	})
	if i < 0 || c.MSRP.IsZero() {
		return band{}, false
	}
	return valueBands[i].band, true
}

// ratioBelow reports whether the value is below a percentage of the price when new.
func (c *car) ratioBelow(percent int64) bool { return compareShare(c.Value, c.MSRP, percent) < 0 }

// ratioAbove reports whether the value is above it.
func (c *car) ratioAbove(percent int64) bool { return compareShare(c.Value, c.MSRP, percent) > 0 }

// compareShare compares a part with a percentage of a whole. Both have at most nine digits and two decimals, so that
// the products are exact.
func compareShare(part, whole decimal.Decimal, percent int64) int {
	left, err1 := part.Mul(decimal.MustNew(100, 0))
	right, err2 := whole.Mul(decimal.MustNew(percent, 0))
	if err1 != nil || err2 != nil {
		return 0
	}
	return left.Cmp(right)
}

// outside reports whether an amount is not in a range of dollars.
func outside(amount decimal.Decimal, low, high int64) bool {
	return amount.Cmp(decimal.MustNew(low, 0)) < 0 || amount.Cmp(decimal.MustNew(high, 0)) > 0
}

// isZIP reports whether a text is five digits that may be a ZIP code.
func isZIP(text string) bool {
	return len(text) == 5 && !strings.HasPrefix(text, "000") &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

// carPair is two vehicles, in the order of the application.
type carPair struct{ a, b *car }

var carPairRules = []rule[carPair]{
	{"F22_DUP_VIN", "/vin", func(p carPair) bool { return folded(p.a.VIN) != "" && folded(p.a.VIN) == folded(p.b.VIN) },
		say[carPair]("Another vehicle has the same VIN. List each vehicle once, with the VIN on its registration.")},
	{"A31_GARAGES_APART", "/garagingZip",
		func(p carPair) bool {
			return isZIP(p.a.GaragingZIP) && isZIP(p.b.GaragingZIP) && p.a.GaragingZIP[:3] != p.b.GaragingZIP[:3]
		},
		say[carPair]("Two vehicles sleep far apart. Who drives the one that is far away?")},
}
