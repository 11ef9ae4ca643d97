package phone_test

import (
	"strings"
	"testing"

	"milepost/domain/phone"
)

func TestTextsGoToNumbersOfPeopleInTheStates(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"+16145550100": true, "+17135550100": true, "+12125550199": true, "+19072345678": true, "+18082345678": true, "+12022345678": true,
		"+19002345678": false, "+19005550100": false, // premium
		"+16149762345": false, "+16149502345": false, // premium exchange, carriers
		"+16144112345": false, "+16149112345": false, "+19112345678": false, "+14112345678": false, // N11
		"+16145551212": false, "+16145552345": false, // directory assistance
		"+16140234567": false, "+16141234567": false, // no exchanges
		"+18002345678": false, "+18882345678": false, "+15002345678": false, "+17002345678": false, "+15552345678": false,
		"+447700900123": false, "+4990012345678": false, "+8821234567": false, "+12": false, "+1": false, "+": false, "": false,
		"16145550100": false, "+1614555010": false, "+161455501000": false, "+1614555010x": false, "+1 6145550100": false,
	} {
		if got := phone.Textable(number); got != want {
			t.Errorf("%s: %v, want %v", number, got, want)
		}
	}
}

// TestNoOtherCountryOfTheCallingCodeGetsTexts goes through the area codes that other countries have under +1, those of
// territories and those of no place.
func TestNoOtherCountryOfTheCallingCodeGetsTexts(t *testing.T) {
	t.Parallel()
	for where, codes := range map[string]string{
		"the Caribbean and Bermuda": "242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876",
		"Canada": "204 226 236 249 250 257 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468 474 506 514 519 " +
			"548 579 581 584 587 600 604 613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 873 879 902 905 942",
		"territories": "340 670 671 684 787 939",
		"no place":    "500 521 533 566 577 588 700 710 800 833 844 855 866 877 888 900 976 211 911",
	} {
		for code := range strings.FieldsSeq(codes) {
			if phone.Textable("+1" + code + "2345678") {
				t.Errorf("%s: %s gets texts", where, code)
			}
		}
	}
}
