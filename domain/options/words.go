package options

import (
	"strings"

	"milepost/domain/rating"
)

// coverages have the words for each coverage.
var coverages = map[rating.Coverage]struct{ name, does, without string }{
	rating.BI: {"Injuries you cause to others",
		"If you are at fault, pays other people's medical bills, lost pay and pain, and a lawyer for you, up to your limit.",
		"You pay from your own savings, home and wages."},
	rating.PD: {"Damage you cause to others' property",
		"Repairs the other car, fence or building when you are at fault. It is not for your own car.",
		"You pay the repair."},
	rating.UMBI: {"Injuries caused by drivers without enough insurance",
		"Pays you and your passengers when whoever hit you has no insurance or drove away.",
		"You depend on what that driver can pay, which is often nothing."},
	rating.MED: {"Medical payments",
		"Pays doctor and hospital bills of the people in your car, whoever was at fault, up to a limit for each person.",
		"Your health plan and its deductible come first."},
	rating.PIP: {"Personal injury protection",
		"Pays injuries to you and your household first and fast, whoever was at fault. In Pennsylvania these are first-party medical benefits.",
		"Your health plan comes first. Where the law requires it, it cannot be left out."},
	rating.COMP: {"Damage that is not a crash",
		"Pays for theft, fire, hail, flood, glass, vandalism and hitting an animal, after the deductible.",
		"You replace a stolen or hail-damaged car yourself. A lender or lessor normally demands it."},
	rating.COLL: {"Crash damage to your own car",
		"Repairs or pays out your car after a crash or rollover, even when it was your fault, after the deductible. It needs COMP.",
		"You repair your own car yourself, unless someone else is liable and can pay."},
	rating.RENT: {"Rental car while yours is repaired",
		"Pays an amount a day up to a total, after a covered loss. It needs COLL.",
		"You pay for a rental car."},
	rating.TOW: {"Roadside help and towing",
		"Pays for a tow, a jump start, a flat tire or a lockout, up to an amount for each call.",
		"You call and pay a tow truck."},
}

// selectionWords say what a choice means, in dollars: a bare "50/100" says nothing to a customer.
func selectionWords(c rating.Coverage, selection string) string {
	first, second, split := strings.Cut(selection, "/")
	switch c {
	case rating.BI, rating.UMBI:
		if split {
			return "At most " + thousands(first) + " for one injured person and " + thousands(second) + " for everybody in one accident"
		}
	case rating.PD:
		return "At most " + thousands(selection) + " for one accident"
	case rating.MED, rating.PIP:
		return "Up to " + dollars(selection) + " for each person"
	case rating.COMP, rating.COLL:
		if selection == "0" {
			return "No deductible"
		}
		return "You pay the first " + dollars(selection) + " of each claim; we pay the rest"
	case rating.RENT:
		return dollars(first) + " a day, at most " + dollars(second) + " for one loss"
	case rating.TOW:
		return "Up to " + dollars(selection) + " for each call"
	}
	return selection
}

func thousands(text string) string { return dollars(text + "000") }

// dollars writes a whole amount with its thousands apart: $1,200.
func dollars(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return "$" + digits
}

// enums are the closed questions, in the order in which a form asks them.
var enums = []string{"paymentPlan", "licenseStatus", "gender", "maritalStatus", "incidentType", "use", "titleStatus", "restraint", "antiTheft"}

// words have what each answer means.
var words = map[string]map[string]string{
	"paymentPlan": {
		"INSTALLMENTS": "In parts",
		"PAY_IN_FULL":  "At once, for 5 percent less on all coverages but rental cars and towing",
	},
	"licenseStatus": {
		"VALID": "Has a valid license", "PERMIT": "Has a learner's permit and drives with somebody beside them",
		"SUSPENDED": "The license is suspended", "REVOKED": "The license was revoked",
		"UNLICENSED": "Never had a license", "EXPIRED": "The license has expired",
		"FOREIGN": "Has a license of a country other than the United States or Canada",
	},
	"gender": {"F": "Female", "M": "Male", "X": "Not specified"},
	"maritalStatus": {
		"SINGLE": "Single", "MARRIED": "Married", "DOMESTIC_PARTNER": "In a domestic partnership", "CIVIL_UNION": "In a civil union",
		"WIDOWED": "Widowed", "SEPARATED": "Married and separated", "DIVORCED": "Divorced",
	},
	"incidentType": {
		"AT_FAULT_ACCIDENT": "An accident for which you were found mainly responsible, reported or not", "NOT_AT_FAULT_ACCIDENT": "An accident for which somebody else was found responsible, or that is not decided",
		"MINOR_VIOLATION": "A ticket, such as a red light or speeding a little", "SPEEDING_MAJOR": "Speeding by much",
		"MAJOR_VIOLATION": "Reckless driving, hit and run, racing, or driving while suspended", "DUI": "Driving under the influence",
		"NON_MOVING_VIOLATION": "A ticket for something other than driving, such as parking", "COMPREHENSIVE_CLAIM": "A claim for theft, fire, hail and the like",
		"GLASS_CLAIM": "A claim for glass", "TOWING_CLAIM": "A claim for towing", "INQUIRY": "A question to an insurer without a claim",
	},
	"use": {
		"PLEASURE": "Mostly errands and leisure", "COMMUTE": "To work or school", "BUSINESS": "Visiting clients, carrying tools or samples",
		"FARM": "On a farm or ranch", "RIDESHARE": "Passengers for money, through an app", "DELIVERY": "Deliveries for money",
		"LIVERY": "Passengers for money, as a taxi or limousine",
	},
	"titleStatus": {
		"CLEAN": "Clean", "REBUILT": "Rebuilt: was salvage, was repaired and inspected", "SALVAGE": "Salvage: written off and not repaired",
		"JUNK": "Junk: for parts only", "FLOOD": "Was in a flood", "HAIL": "Was damaged by hail", "LEMON": "Lemon: the maker bought it back",
	},
	"restraint": {
		"NONE": "No airbags, or lap belts only", "DRIVER": "An airbag for the driver", "DUAL": "Airbags for driver and passenger",
		"DUAL_SIDE": "Airbags in front and at the sides",
	},
	"antiTheft": {
		"NONE": "None", "ALARM": "An alarm that sounds", "PASSIVE": "The engine does not start without the coded key",
		"RECOVERY": "A paid service finds the car when it is stolen",
	},
}
