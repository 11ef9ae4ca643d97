package seal_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"milepost/internal/log/seal"
	"milepost/internal/platform/stored"
	"milepost/internal/stacktest"
)

// bring copies what one system has of a customer to another.
func bring(t *testing.T, from, to *seal.Keys, customer string) seal.Adoption {
	t.Helper()
	h, err := from.Holder(t.Context(), customer)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = from.Wrap(t.Context(), h, to); err != nil {
		t.Fatal(err)
	}
	did, err := to.Adopt(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

// forgetIDs makes the item of a customer one from before keys had ids.
func forgetIDs(t *testing.T, k *seal.Keys, customer string) {
	t.Helper()
	_, err := k.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &k.Table, Key: stored.Item{"customerId": stored.Text(customer)},
		UpdateExpression: aws.String("REMOVE keyId"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestACustomerOpensWithTheKeysOfSeveralSystems(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} { // whether all of them are from before keys had ids
		here := stacktest.Open(t, nil)
		k, _ := process(here)
		mustMake(t, k, "ada")
		all := []seal.Sealed{mustSeal(t, k, "ada")}
		current := all[0].KeyID
		for range 2 {
			other, _ := process(stacktest.Open(t, nil))
			mustMake(t, other, "ada")
			sealed := mustSeal(t, other, "ada")
			if sealed.KeyID == current || len(sealed.KeyID) < 20 {
				t.Errorf("the key has the id %q", sealed.KeyID)
			}
			_, err := k.Unseal(t.Context(), sealed, aad)
			if none, ok := errors.AsType[*seal.NoKey](err); !ok || none.KeyID != sealed.KeyID {
				t.Errorf("error=%v, want *NoKey with the id", err)
			}
			if early {
				forgetIDs(t, k, "ada")
				forgetIDs(t, other, "ada")
				sealed.KeyID = ""
			}
			all = append(all, sealed)
			if did := bring(t, other, k, "ada"); did != (seal.Adoption{Added: 1}) {
				t.Errorf("%+v, want one more key", did)
			}
			if did := bring(t, other, k, "ada"); did != (seal.Adoption{There: 1}) {
				t.Errorf("%+v, want none when it is there", did)
			}
		}
		if early {
			all[0].KeyID = ""
		}
		fresh, calls := process(here)
		for range 2 {
			for _, sealed := range all {
				assertOpens(t, k, sealed) // which knew one key before the others came
				assertOpens(t, fresh, sealed)
			}
		}
		calls.assert(t, "three keys", map[string]int{"GetItem": 1, "Decrypt": 3})
		if again := mustSeal(t, fresh, "ada"); again.KeyID != current {
			t.Errorf("sealed under %s, want still %s", again.KeyID, current)
		}
		changed := all[1]
		changed.Text = append([]byte{all[1].Text[0] ^ 1}, all[1].Text[1:]...)
		_, err := fresh.Unseal(t.Context(), changed, aad)
		if _, ok := errors.AsType[*seal.Damaged](err); !ok {
			t.Errorf("error=%v, want *Damaged", err)
		}
	}
}

func TestAnErasureWinsInBothDirections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, _ := process(stacktest.Open(t, nil))
		two, _ := process(stacktest.Open(t, nil))
		mustMake(t, one, "ada")
		mustMake(t, two, "ada")
		sealed := []seal.Sealed{mustSeal(t, one, "ada"), mustSeal(t, two, "ada")}
		bring(t, one, two, "ada")
		erased := seal.Erasure{CustomerID: "ada", At: time.Now().UTC(), By: "eve", ReasonCode: "X"}
		if _, err := two.Erase(t.Context(), erased); err != nil {
			t.Fatal(err)
		}
		if did := bring(t, one, two, "ada"); did != (seal.Adoption{Erased: true}) {
			t.Errorf("%+v, want what is erased to stay so", did)
		}
		if did := bring(t, two, one, "ada"); did != (seal.Adoption{Erased: true}) {
			t.Errorf("%+v, want the erasure to come along", did)
		}
		time.Sleep(seal.Lifetime)
		for _, k := range []*seal.Keys{one, two} {
			for _, s := range sealed {
				_, err := k.Unseal(t.Context(), s, aad)
				if is, ok := errors.AsType[*seal.Erased](err); !ok || is.Erasure != erased {
					t.Errorf("error=%v, want *Erased", err)
				}
			}
		}
	})
}

func TestNoFirstKeyIsMadeWhereOneIsElsewhere(t *testing.T) {
	t.Parallel()
	here := stacktest.Open(t, nil)
	k, calls := process(here)
	elsewhere, _ := process(stacktest.Open(t, nil))
	mustMake(t, elsewhere, "ada")
	sealed := mustSeal(t, elsewhere, "ada")
	if err := k.Await(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	has := func(context.Context) (bool, error) { return true, nil }
	for customer, make := range map[string]func(context.Context) (bool, error){"ada": nil, "bob": has} {
		err := k.Make(t.Context(), customer, make)
		if none, ok := errors.AsType[*seal.NoKey](err); !ok || !none.Awaited {
			t.Errorf("%s: error=%v, want *NoKey", customer, err)
		}
	}
	if n := calls.calls["GenerateDataKey"]; n > 0 {
		t.Errorf("%d keys were made", n)
	}
	if did := bring(t, elsewhere, k, "ada"); did.Added != 1 {
		t.Errorf("%+v", did)
	}
	mustMake(t, k, "ada")
	assertOpens(t, k, sealed)
	if err := k.Await(t.Context(), "ada"); err != nil {
		t.Error(err)
	}
	fresh, _ := process(here)
	assertOpens(t, fresh, sealed) // a customer whose key is here does not wait
	// Somebody else made the key, and used it, between the two looks.
	mustMakeBy := func(ctx context.Context) (bool, error) {
		other, _ := process(here)
		return true, other.Make(ctx, "carl", nil)
	}
	if err := k.Make(t.Context(), "carl", mustMakeBy); err != nil {
		t.Error(err)
	}
}

func TestAKeyUnderAnotherNameOrCustomerIsRefused(t *testing.T) {
	t.Parallel()
	k, _ := process(stacktest.Open(t, nil))
	mustMake(t, k, "ada")
	h, err := k.Holder(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	renamed := seal.Holder{CustomerID: "ada", Keys: []seal.WrappedKey{h.Keys[0]}}
	renamed.Keys[0].ID = "000000000000000000000000"
	if _, err := k.Adopt(t.Context(), renamed); err == nil {
		t.Error("a key was taken in under another id")
	}
	h.CustomerID = "bob"
	if _, err := k.Adopt(t.Context(), h); err == nil {
		t.Error("a key was taken in for another customer")
	}
	if held, err := k.Holder(t.Context(), "bob"); err != nil || held.Exists() {
		t.Errorf("%+v, error %v", held, err)
	}
}
