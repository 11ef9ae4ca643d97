package rating

import (
	"encoding/json"
	"time"

	"milepost/domain/accident"
	"milepost/domain/civil"
)

// tables are a rate plan as it is written. Members without a tag have the name of the JSON member except for case.
// Members named after a rule in words, such as Rule, are for the reader only.
type tables struct {
	Schema, Notice, RatePlanID, Version, Program, Currency, NumericConvention string

	Effective struct {
		PolicyEffectiveFrom civil.Date
		// PolicyEffectiveThrough is no date if the plan has no end.
		PolicyEffectiveThrough civil.Date
		// ReleasedAt is when the plan was released. Nobody is rated under it before that day.
		ReleasedAt time.Time
	}
	Rounding struct {
		Mode, ModeMeaning                                                string
		RunningPremiumScale, DriverFactorScale, AverageDriverFactorScale int
		CoverageUnitDefault, Money                                       amount
	}
	Coverages struct {
		Order                                []Coverage
		Group                                map[Coverage]group
		PolicyLevel, VehicleLevel, FlatRated []Coverage
	}
	Steps  []StepName
	Term   map[int]*factor
	States map[string]*state
	Limits map[Coverage]struct {
		Order  []string
		Factor map[string]*factor
	}
	Deductibles           map[Coverage]map[string]*factor
	FlatPremiumPer6Months map[Coverage]map[string]*amount
	VehicleAge            struct {
		Rule string
		Rows []struct {
			Age int
			byGroup
		}
	}
	Symbols struct {
		Rule string
		Rows []symbolRow
	}
	BodyClass struct {
		Rule     string
		Prefixes [][2]string
		Factor   map[Body]*byGroup
	}
	Use struct {
		Rule                 string
		LongCommuteFromMiles int
		Factor               map[string]*byGroup
		Ineligible           []Use
	}
	AnnualMileage struct {
		Rule string
		Rows bands
	}
	Safety struct {
		Restraint                                                          map[Restraint]*factor
		ABS, AEB                                                           factor
		AntiTheft                                                          map[AntiTheft]*factor
		RestraintCoverages, ABSCoverages, AEBCoverages, AntiTheftCoverages []Coverage
	}
	DriverAge, DriverYearsLicensed struct {
		Rule string
		Rows bands
	}
	Gender struct {
		Rule string
		Rows []struct {
			Min, Max *int
			F, M, X  byGroup
		}
	}
	Marital struct {
		Rule string
		Rows []struct {
			Min, Max                 *int
			Married, Single, Widowed byGroup
		}
	}
	Inexperience struct {
		Rule   string
		MinAge int
		Rows   bands
	}
	GoodStudent struct {
		Rule   string
		MaxAge int
		Factor byGroup
	}
	MatureCourse struct {
		Rule   string
		MinAge int
		Factor byGroup
	}
	Incidents  incidentTables
	GoodDriver struct {
		Rule                                  string
		MinYearsLicensed, MaxChargedIncidents int
	}
	Tier struct {
		Rule   string
		Factor map[Tier]*factor
	}
	MultiCar struct {
		MinVehicles int
		Factor      byGroup
	}
	Homeowner      struct{ Factor byGroup }
	HouseholdRatio struct {
		Rule         string
		MoreDrivers  byGroup `json:"MORE_DRIVERS"`
		Equal        byGroup `json:"EQUAL"`
		MoreVehicles byGroup `json:"MORE_VEHICLES"`
	}
	AdvanceQuote struct {
		Rule    string
		MinDays int
		Factor  byGroup
	}
	PayInFull struct {
		Rule   string
		Factor byGroup
	}
	CoverageMinimumPer6Months map[Coverage]*amount
	PolicyMinimumPer6Months   amount
	Quote                     struct{ ValidDays, MaxAdvanceDays, MinDriverAge, MaxVehicles, MaxRatedDrivers int }
	Underwriting              struct {
		Order string
		Rules []rule
	}
	// ProposedRevision and ReferenceStateMinimums are not part of the rating.
	ProposedRevision, ReferenceStateMinimums json.RawMessage
}

type state struct {
	Name                        string
	ZIP3Ranges                  [][2]int
	Minimum, MinimumIfPurchased map[Coverage]string
	MinimumBasis                string
	Required, Offered           []Coverage
	UMRequired                  bool
	Base                        map[Coverage]*amount
	ZIP3                        map[string]string
	DefaultTerritory            string
	Territories                 map[string]*byGroup
	Fees                        struct{ PolicyFee, PerVehicleFeePer6Months, SR22FeePerDriver amount }
	AssessmentPct               factor
	CoverageUnit                amount
	DriverClassBasis            string
	GoodDriverFactor            *factor
	Prohibited                  []StepName
	AccidentThreshold           amount
	ViolationTypesNotChargeable []accident.Type
	DriverExclusionAllowed      bool

	// accidents and goodDriver are made of the above when the plan is loaded.
	accidents  accident.Rules
	goodDriver *byGroup
}

type incidentTables struct {
	LookbackYears      map[accident.Type]int
	ChargeableAccident struct {
		MinFaultPct         int
		Rule                string
		MajorIfBodilyInjury bool
		MajorIfAmountOver   amount
	}
	Points                  map[string]int
	WindowRule, SameDayRule string
	NeverChargeable         []accident.Type
	MaxPoints               int
	Factor                  struct{ LIAB, INJ, COMP, COLL []factor }
}

type symbolRow struct {
	Symbol     int
	MaxMSRP    *int
	COMP, COLL factor
}

// rule is an underwriting rule. Which of its parameters has a meaning depends on the rule.
type rule struct {
	ID      Code
	Outcome ruleOutcome
	Text    string

	Years, Count, MinClass, Points, Age int
	Amount                              amount
}

type ruleOutcome string

const (
	decline ruleOutcome = "DECLINE"
	refer   ruleOutcome = "REFER"
)

// group is a class of coverages that share their factors.
type group string

const (
	liab group = "LIAB"
	inj  group = "INJ"
	comp group = "COMP"
	coll group = "COLL"
)

var groups = [...]group{liab, inj, comp, coll}

// byGroup has a factor for each group.
type byGroup struct{ LIAB, INJ, COMP, COLL factor }

func (b *byGroup) of(g group) *factor {
	switch g {
	case liab:
		return &b.LIAB
	case inj:
		return &b.INJ
	case comp:
		return &b.COMP
	default:
		return &b.COLL
	}
}

// bands are rows for ranges of a number, in ascending order. The last has no upper bound.
type bands []struct {
	Min, Max *int
	byGroup
}

func (b bands) at(n int) *byGroup {
	for i := range b {
		if atMost(n, b[i].Max) {
			return &b[i].byGroup
		}
	}
	return nil // check refuses a plan without a last band
}

// atMost reports whether n is within an upper bound, where nil means no bound.
func atMost(n int, bound *int) bool { return bound == nil || n <= *bound }
