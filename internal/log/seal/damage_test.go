package seal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
)

// TestADamagedKeyLeavesTheOthers: whatever is damaged of one of a customer's keys, the others open what they sealed,
// and the damaged one is named when it is needed.
func TestADamagedKeyLeavesTheOthers(t *testing.T) {
	t.Parallel()
	type item = stored.Item
	text := stored.Text
	garbage := stored.Bytes([]byte("garbage"))
	stack := stacktest.Open(t, nil)
	k, _ := process(stack)
	mustMake(t, k, "ada")
	all := []seal.Sealed{mustSeal(t, k, "ada")}
	for range 2 {
		other, _ := process(stacktest.Open(t, nil))
		mustMake(t, other, "ada")
		all = append(all, mustSeal(t, other, "ada"))
		bring(t, other, k, "ada")
	}
	read := func() item { // a new copy each time
		out, err := k.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &k.Table, Key: item{"customerId": text("ada")}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Item
	}
	put := func(i item) {
		if _, err := k.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &k.Table, Item: i}); err != nil {
			t.Fatal(err)
		}
	}
	whole := read()
	others := func(i item) item { return i["otherKeys"].(*types.AttributeValueMemberM).Value }
	second := func(i item) item { return others(i)[all[1].KeyID].(*types.AttributeValueMemberM).Value }
	for name, test := range map[string]struct {
		damage func(item)
		lost   []int // the keys that do not open
	}{
		"the current key is garbage":       {func(i item) { i["dataKey"] = garbage }, []int{0}},
		"the current key is a text":        {func(i item) { i["dataKey"] = text("x") }, []int{0}},
		"the current key is gone":          {func(i item) { delete(i, "dataKey") }, []int{0}},
		"the current key has no time":      {func(i item) { i["createdAt"] = text("yesterday") }, []int{0}},
		"the current key is another's":     {func(i item) { i["dataKey"] = second(i)["dataKey"] }, []int{0}},
		"another key is garbage":           {func(i item) { second(i)["dataKey"] = garbage }, []int{1}},
		"another key is a text":            {func(i item) { second(i)["dataKey"] = text("x") }, []int{1}},
		"another key is no map":            {func(i item) { others(i)[all[1].KeyID] = text("x") }, []int{1}},
		"another key is the current one":   {func(i item) { second(i)["dataKey"] = i["dataKey"] }, []int{1}},
		"the other keys are no map":        {func(i item) { i["otherKeys"] = text("x") }, []int{1, 2}},
		"the current key and another":      {func(i item) { i["dataKey"], second(i)["dataKey"] = garbage, garbage }, []int{0, 1}},
		"nothing of what matters is wrong": {func(i item) { i["note"] = text("x") }, nil},
	} {
		damaged := read()
		test.damage(damaged)
		put(damaged)
		fresh, _ := process(stack) // it remembers no key
		lost := map[int]bool{}
		for _, i := range test.lost {
			lost[i] = true
		}
		for i, sealed := range all {
			opened, err := fresh.Unseal(t.Context(), sealed, aad)
			bad, is := errors.AsType[*seal.BadKey](err)
			switch {
			case !lost[i] && (err != nil || string(opened) != string(secret)):
				t.Errorf("%s: key %d: %v", name, i, err)
			case lost[i] && (!is || !strings.Contains(err.Error(), "ada") || bad.KeyID != "" && bad.KeyID != sealed.KeyID):
				t.Errorf("%s: key %d: %v, want *BadKey", name, i, err)
			}
			if !lost[i] { // it may have been sealed before keys had ids
				sealed.KeyID = ""
				if opened, err := fresh.Unseal(t.Context(), sealed, aad); err != nil || string(opened) != string(secret) {
					t.Errorf("%s: key %d, which is not named: %v", name, i, err)
				}
			}
		}
		_, err := fresh.Seal(t.Context(), "ada", aad, secret)
		if _, bad := errors.AsType[*seal.BadKey](err); bad != lost[0] || err != nil && !bad {
			t.Errorf("%s: seal: %v", name, err)
		}
		put(whole)
		for i, sealed := range all { // what was repaired is not remembered as damaged
			if _, err := fresh.Unseal(t.Context(), sealed, aad); err != nil {
				t.Errorf("%s: key %d, mended: %v", name, i, err)
			}
		}
	}
}
