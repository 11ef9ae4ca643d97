package eventpattern_test

import (
	"fmt"
	"log"

	"milepost/local/eventpattern"
)

func ExamplePattern_Match() {
	pattern, err := eventpattern.Compile([]byte(`{
		"source": ["shop"],
		"detail": {"total": [{"numeric": [">=", 100]}], "coupon": [{"exists": false}]}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range []string{
		`{"source": "shop", "detail": {"total": 250}}`,
		`{"source": "shop", "detail": {"total": 250, "coupon": "SPRING"}}`,
		`{"source": "shop", "detail": {"total": 99.5}}`,
	} {
		matches, err := pattern.Match([]byte(event))
		fmt.Println(matches, err)
	}
	// Output:
	// true <nil>
	// false <nil>
	// false <nil>
}

// What AWS would refuse is refused, in its words.
func ExampleCompile() {
	_, err := eventpattern.Compile([]byte(`{"source": "shop"}`))
	fmt.Println(err)
	// Output: Event pattern is not valid. Reason: "source" must be an object or an array
}
