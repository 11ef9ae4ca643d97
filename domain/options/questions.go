package options

// Question is what a form asks for a member of a request.
type Question struct {
	// Member is the JSON pointer of the member, with * for each entry of a list.
	Member string `json:"member"`
	Ask    string `json:"ask"`
	// Help says how the question is meant, and where the answer is found.
	Help string `json:"help,omitempty"`
}

// questions are in the order in which a form asks them. A test compares them with the members of a request.
var questions = []Question{
	{"/state", "In which state are the cars kept?", ""},
	{"/effectiveDate", "On which day shall the policy begin?",
		"Cover begins at 12:01 a.m. on that day, and not before you accept an offer."},
	{"/termMonths", "For how many months?", "So long the price is fixed."},

	{"/vehicles/*/vin", "What is the VIN?",
		"The 17 characters are on the registration, on the insurance card, and at the lower left of the " +
			"windshield. You can see a price without it; for a quote we need it."},
	{"/vehicles/*/modelYear", "Of which model year is it?",
		"It is on the registration, and may be a year after the one in which the car was built."},
	{"/vehicles/*/make", "Who made it?", ""},
	{"/vehicles/*/model", "Which model is it?", ""},
	{"/vehicles/*/bodyClass", "What kind of body does it have?", "Such as sedan, pickup or SUV."},
	{"/vehicles/*/msrp", "What did this model cost new, with options?", ""},
	{"/vehicles/*/value", "What could you sell it for today?", ""},
	{"/vehicles/*/garagingZip", "Where does the car sleep most nights?",
		"The ZIP code of that place: not of a mailbox, and not of the parents' house of a student who " +
			"lives elsewhere."},
	{"/vehicles/*/use", "What is it mostly used for?", ""},
	{"/vehicles/*/oneWayMiles", "How many miles is it to work or school, one way?", ""},
	{"/vehicles/*/annualMileage", "How many miles is it driven in a year?", ""},
	{"/vehicles/*/titleStatus", "What does the title say?", "A title is clean unless it is marked otherwise."},
	{"/vehicles/*/restraint", "Which airbags does it have?", ""},
	{"/vehicles/*/abs", "Does it have antilock brakes?", "Almost every car from model year 2012 on has them."},
	{"/vehicles/*/aeb", "Does it brake by itself in an emergency?", ""},
	{"/vehicles/*/antiTheft", "How is it protected against theft?",
		"With most cars since about 2000 the engine does not start without the coded key."},

	{"/drivers", "Who lives with you, or often drives your cars?",
		"List everybody of driving age who lives in the household, related or not, students away " +
			"included, whether or not they drive your cars; and those who live elsewhere and often drive " +
			"them."},
	{"/drivers/*/dateOfBirth", "When were they born?", ""},
	{"/drivers/*/licenseStatus", "What license do they have?", ""},
	{"/drivers/*/licensedDate",
		"In which month did they first get a license to drive alone, in any US state or Canada?",
		"Not the date on the card, which is of the last renewal. A learner's permit does not count. If " +
			"the age is easier to remember, add it to the date of birth."},
	{"/drivers/*/gender", "What gender is on the license?", "Asked only where it enters the price."},
	{"/drivers/*/maritalStatus", "Are they married on the day on which the policy begins?",
		"What the law says counts; whoever is separated answers so."},
	{"/drivers/*/goodStudent", "Do they study, with a B average or better?",
		"For drivers under 25 who are not married. We ask for the transcript later."},
	{"/drivers/*/matureDriverCourse", "Have they completed a course for mature drivers?",
		"For drivers from 55 on, with a certificate of the last three years."},
	{"/drivers/*/sr22", "Does a court or the state want an SR-22?",
		"It is a form that we file with the state because a court or the state asked for it. If nobody " +
			"asked you for it, the answer is no."},
	{"/drivers/*/excluded", "Shall this person be excluded?",
		"Nobody is covered, not even for damage to others, when an excluded person drives any car on this " +
			"policy. It is not cheaper insurance for them, but none."},

	{"/drivers/*/incidents", "What happened in the last five years?",
		"Every accident counts as one, also if it was not reported and not your fault. A warning is not a " +
			"violation; a ticket that was paid is one."},
	{"/drivers/*/incidents/*/type", "What was it?", ""},
	{"/drivers/*/incidents/*/date", "On which day did it happen?", "Not the day in court."},
	{"/drivers/*/incidents/*/faultPct", "Who was found mainly responsible?",
		"Your share in percent; 0 if it was somebody else's fault."},
	{"/drivers/*/incidents/*/amountPaid", "How much was paid for it?", ""},
	{"/drivers/*/incidents/*/bodilyInjury", "Was anybody hurt?", ""},

	{"/policy/priorInsurance/hasPrior", "Are you insured now, or were you until lately?",
		"Someone on a parent's or spouse's policy has insurance."},
	{"/policy/priorInsurance/expirationDate", "When does the present term end?",
		"The first day without that cover. If it will be canceled earlier, that day."},
	{"/policy/priorInsurance/biLimit", "What are its limits for injuries to others?",
		"They are on the declarations page, such as 50/100: at most $50,000 for one injured person and " +
			"$100,000 for everybody in one accident."},
	{"/policy/homeowner", "Do you own the home that you live in?", ""},
	{"/policy/paymentPlan", "How do you want to pay?",
		"Paying at once costs 5 percent less, except for rental cars and towing."},

	{"/drivers/*/firstName", "What is the first name?", "As it stands on the license."},
	{"/drivers/*/lastName", "What is the last name?", "As it stands on the license."},
	{"/drivers/*/licenseNumber", "What is the license number?", "We order the driving record with it."},
	{"/drivers/*/licenseState", "Which state issued the license?", ""},
	{"/address/line1", "Where do you live?", "Street and number."},
	{"/address/city", "In which city?", ""},
	{"/address/state", "In which state?", ""},
	{"/address/zip", "What is the ZIP code?", ""},
	{"/contact/email", "What is your e-mail address?", "We write there when the quote is ready."},
	{"/contact/phone", "What is your phone number?", ""},
	{"/contact/timeZone", "In which time zone are you?", ""},
}

// Consent is something that a customer agrees to or acknowledges, each in a box of its own that nothing has ticked.
type Consent struct {
	Code string `json:"code"`
	// Member is the JSON pointer of what the request says of it, "" if a request without it must not be sent.
	Member string `json:"member,omitempty"`
	// Required says that there is no quote without it.
	Required bool   `json:"required"`
	Version  string `json:"version"`
	Text     string `json:"text"`
}

// consents are drafts in our own words, as their versions say; a compliance officer approves them before use.
var consents = []Consent{
	// A notice with an acknowledgment: insurers need a purpose, not consent (15 USC 1681b(a)(3)(C)) [K].
	{"REPORTS", "", true, "2026.1-draft",
		"To give you an exact price we order driving records and claims history for each driver listed. I " +
			"confirm that they know this."},
	{"TRUTH", "", true, "2026.1-draft",
		"What I have entered is true as far as I know. I understand that a wrong answer can change the " +
			"price or lead to cancellation."},
	// E-SIGN, 15 USC 7001(c).
	{"EMAIL", "/contact/consents/email", false, "2026.1-draft",
		"Send me my documents and legal notices electronically to this address. I can ask for paper free " +
			"of charge, change the address or stop this at any time in my account. I need a browser and a PDF " +
			"reader."},
	// TCPA, 47 USC 227.
	{"TEXT", "/contact/consents/text", false, "2026.1-draft",
		"Text me about my quote and policy at this number. Message and data rates may apply; about 4 " +
			"messages a quote. Reply STOP to end, HELP for help. Not required to buy."},
}

// fees have the words for each fee.
var fees = []Value{
	{"POLICY_FEE", "Policy fee"}, {"VEHICLE_FEE", "Fee for each car"}, {"SR22_FEE", "Filing of an SR-22"},
}
