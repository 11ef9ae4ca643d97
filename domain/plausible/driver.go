package plausible

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"milepost/domain/accident"
	"milepost/domain/civil"
	"milepost/domain/rating"
)

// The limits of ages for licenses, incidents and people.
const (
	licensedFrom = 14
	oldest       = 110
	veryOld      = 100
	licensedLate = 40
	permitUntil  = 25
	maxName      = 100
)

// driver is the subject of the rules about one person.
type driver struct {
	*policy
	rating.Driver
	Person
	// born reports whether the date of birth can be right. Nothing is compared with one that cannot.
	born bool
	// age is in completed years on the quote date.
	age int
}

func newDriver(p *policy, i int) *driver {
	d := &driver{policy: p, Driver: p.Drivers[i], age: civil.CompletedYears(p.Drivers[i].DateOfBirth, p.QuoteDate)}
	if i < len(p.People) {
		d.Person = p.People[i]
	}
	d.born = !d.DateOfBirth.IsZero() && d.age >= 0 && d.age <= oldest
	return d
}

// licensed reports whether the date of the first license can be right as far as today goes.
func (d *driver) licensed() bool {
	return !d.LicensedDate.IsZero() && !d.LicensedDate.After(d.QuoteDate)
}

// learner reports whether the driver has no full license.
func (d *driver) learner() bool {
	return d.LicenseStatus == accident.LicensePermit || d.LicenseStatus == accident.Unlicensed
}

// alone is the age, in months, from which a state licenses to drive alone. Licenses of other states may be earlier.
var alone = map[string]int{"AZ": 192, "CA": 192, "FL": 192, "OH": 192, "PA": 198, "TX": 192, "VA": 195}

// licenseForms are the usual forms of a license number.
var licenseForms = map[string]*regexp.Regexp{
	"AZ": regexp.MustCompile(`^([A-Z]\d{8}|\d{9})$`), "CA": regexp.MustCompile(`^[A-Z]\d{7}$`),
	"FL": regexp.MustCompile(`^[A-Z]\d{12}$`), "OH": regexp.MustCompile(`^[A-Z]{2}\d{6}$`),
	"PA": regexp.MustCompile(`^\d{8}$`), "TX": regexp.MustCompile(`^\d{8}$`),
	"VA": regexp.MustCompile(`^([A-Z]\d{8}|\d{9})$`),
}

var driverRules = []rule[*driver]{
	nameRule("/firstName", func(d *driver) string { return d.FirstName }),
	nameRule("/lastName", func(d *driver) string { return d.LastName }),
	{"F01_BIRTH_FUTURE", "/dateOfBirth", func(d *driver) bool { return after(d.DateOfBirth, d.QuoteDate) },
		say[*driver]("The date of birth is after today. Enter the day on which this person was born.")},
	{"F02_TOO_OLD", "/dateOfBirth", func(d *driver) bool { return !d.DateOfBirth.IsZero() && d.age > oldest },
		say[*driver]("This person would be more than 110 years old. Enter the year of birth with all four digits.")},
	{"C01_VERY_OLD", "/dateOfBirth", func(d *driver) bool { return d.born && d.age >= veryOld },
		func(d *driver) string {
			return fmt.Sprintf("Driver %s is %d years old; the license has to be seen", d.DriverID, d.age)
		}},
	{"F09_LICENSE_NUMBER", "/licenseNumber",
		func(d *driver) bool { return d.LicenseNumber != "" && folded(d.LicenseNumber) == "" },
		say[*driver]("A license number has letters or digits. Enter it as it stands on the license, or leave it out.")},
	{"A05_LICENSE_FORMAT", "/licenseNumber",
		func(d *driver) bool {
			form := licenseForms[d.LicenseState]
			return d.LicenseNumber != "" && form != nil && !form.MatchString(folded(d.LicenseNumber))
		},
		say[*driver]("Licenses of this state usually have another form. Is the number right?")},
	{"F06_PERMIT_WITH_DATE", "/licensedDate", func(d *driver) bool { return d.learner() && !d.LicensedDate.IsZero() },
		say[*driver]("Whoever has a learner's permit or no license has no date of a first license. Leave licensedDate out, or correct licenseStatus.")},
	{"F03_LICENSE_FUTURE", "/licensedDate", func(d *driver) bool { return after(d.LicensedDate, d.QuoteDate) },
		say[*driver]("The first license is dated after today. Enter when this person first got a license to drive alone; use licenseStatus PERMIT for one who learns.")},
	{"F04_LICENSE_BEFORE_14", "/licensedDate",
		func(d *driver) bool { return d.born && before(d.LicensedDate, d.DateOfBirth.AddYears(licensedFrom)) },
		say[*driver]("This license date is before the driver's 14th birthday. Enter the month in which they first got a license to drive alone.")},
	{"C02_LICENSE_YOUNG", "/licensedDate",
		func(d *driver) bool {
			months := alone[d.State]
			return d.born && d.licensed() && months > 0 && !d.LicensedDate.Before(d.DateOfBirth.AddYears(licensedFrom)) &&
				d.LicensedDate.Before(d.DateOfBirth.AddMonths(months))
		},
		func(d *driver) string {
			return fmt.Sprintf("Driver %s was first licensed at %d, and %s licenses to drive alone from %s",
				d.DriverID, civil.CompletedYears(d.DateOfBirth, d.LicensedDate), d.State, inYears(alone[d.State]))
		}},
	{"F05_LICENSE_MISSING", "/licensedDate",
		func(d *driver) bool {
			return d.Rated() && !d.learner() && d.LicensedDate.IsZero() && d.plan != nil && d.plan.RatesYearsLicensed(d.State)
		},
		say[*driver]("In this state the price follows from the years since the first license. Enter when this person first got a license to drive alone.")},
	{"A04_LICENSED_LATE", "/licensedDate",
		func(d *driver) bool {
			return d.born && d.licensed() && civil.CompletedYears(d.DateOfBirth, d.LicensedDate) >= licensedLate
		},
		say[*driver]("This person got a first license at 40 or later. Is this the first license, and not the last renewal?")},
	{"C03_PERMIT_AGE", "/licenseStatus",
		func(d *driver) bool {
			return d.LicenseStatus == accident.LicensePermit && d.born && d.age >= permitUntil
		},
		func(d *driver) string {
			return fmt.Sprintf("Driver %s has a learner's permit and is %d years old", d.DriverID, d.age)
		}},
	{"A11_NO_EFFECT", "/goodStudent", func(d *driver) bool { return d.GoodStudent && d.born && d.age > 24 },
		say[*driver]("The discount for good students is for drivers under 25. It has no effect here.")},
	{"A11_NO_EFFECT", "/matureDriverCourse", func(d *driver) bool { return d.MatureDriverCourse && d.born && d.age < 55 },
		say[*driver]("The discount for a mature driver course is for drivers from 55. It has no effect here.")},
}

// Name reports whether a text can be a name: it has letters, and at most 100 characters in one line.
func Name(text string) bool {
	return strings.ContainsFunc(text, unicode.IsLetter) && len([]rune(text)) <= maxName && oneLine(text)
}

// nameRule is about a name: a report must be ordered for it.
func nameRule(member string, name func(*driver) string) rule[*driver] {
	return rule[*driver]{"F09_NAME", member,
		func(d *driver) bool {
			return !d.Anonymous && !Name(name(d))
		},
		say[*driver]("No report can be ordered for this name. Enter it as it stands on the license: letters, and at most 100 characters in one line.")}
}

// inYears writes an age in months as text.
func inYears(months int) string {
	if months%12 == 0 {
		return fmt.Sprintf("%d", months/12)
	}
	return fmt.Sprintf("%d years and %d months", months/12, months%12)
}

// incident is the subject of the rules about one incident that the customer has stated.
type incident struct {
	*driver
	accident.Incident
}

func newIncident(d *driver, i int) incident { return incident{d, d.Incidents[i]} }

// driving are the incidents that take a license.
var driving = []accident.Type{accident.AtFaultAccident, accident.MinorViolation, accident.SpeedingMajor, accident.MajorViolation, accident.DUI}

var incidentRules = []rule[incident]{
	{"F07_INCIDENT_FUTURE", "/date", func(i incident) bool { return after(i.Date, i.QuoteDate) },
		say[incident]("The incident is dated after today. Enter the day on which it happened, not that of a hearing.")},
	{"F08_INCIDENT_BEFORE_14", "/date",
		func(i incident) bool { return i.born && before(i.Date, i.DateOfBirth.AddYears(licensedFrom)) },
		say[incident]("The incident is dated before the driver's 14th birthday. Enter the day on which it happened, or list it for the right driver.")},
	{"C04_INCIDENT_UNLICENSED", "/date",
		func(i incident) bool {
			return slices.Contains(driving, i.Type) && !i.learner() && i.licensed() && before(i.Date, i.LicensedDate) &&
				!before(i.Date, i.DateOfBirth.AddYears(licensedFrom))
		},
		func(i incident) string {
			return fmt.Sprintf("Driver %s: %s in %d, before the first license in %d", i.DriverID, i.Type.Words(), i.Date.Year(), i.LicensedDate.Year())
		}},
}

// driverPair is two people, in the order of the application.
type driverPair struct{ a, b *driver }

// sameLicense reports whether both have the same license.
func (p driverPair) sameLicense() bool {
	number := folded(p.a.LicenseNumber)
	return number != "" && number == folded(p.b.LicenseNumber) && p.a.LicenseState == p.b.LicenseState
}

// samePerson reports whether both have the same name and date of birth.
func (p driverPair) samePerson() bool {
	name := folded(p.a.FirstName)
	return name != "" && name == folded(p.b.FirstName) && folded(p.a.LastName) == folded(p.b.LastName) &&
		p.a.DateOfBirth == p.b.DateOfBirth
}

// twoLicenses reports whether both have a license number, and not the same one.
func (p driverPair) twoLicenses() bool {
	return folded(p.a.LicenseNumber) != "" && folded(p.b.LicenseNumber) != "" && !p.sameLicense()
}

var driverPairRules = []rule[driverPair]{
	{"F10_DUP_LICENSE", "/licenseNumber", driverPair.sameLicense,
		say[driverPair]("Another driver has the same license. List each person once, with their own license.")},
	{"F11_DUP_PERSON", "", func(p driverPair) bool { return p.samePerson() && !p.sameLicense() && !p.twoLicenses() },
		say[driverPair]("Another driver has the same name and date of birth. List each person once; for two people enter the license numbers of both.")},
	{"C06_DUP_PERSON", "", func(p driverPair) bool { return p.samePerson() && p.twoLicenses() },
		func(p driverPair) string {
			return fmt.Sprintf("Drivers %s and %s have the same name and date of birth, and different licenses", p.a.DriverID, p.b.DriverID)
		}},
}
