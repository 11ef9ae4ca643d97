// Command client makes one call with the client that oapi-codegen generates from the API's document: it requests a
// quote and prints where it is. MILEPOST_API and MILEPOST_TOKEN are the address and the token; standard input is the
// request.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"milepost-client/go/milepost"
)

func main() {
	var request milepost.QuoteRequest
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		log.Fatal(err)
	}
	client, err := milepost.NewClientWithResponses(os.Getenv("MILEPOST_API"), milepost.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+os.Getenv("MILEPOST_TOKEN"))
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.SubmitQuoteWithResponse(context.Background(), nil, request)
	if err != nil {
		log.Fatal(err)
	}
	if answer.JSON202 == nil {
		log.Fatalf("%s: %s", answer.Status(), answer.Body)
	}
	fmt.Println(answer.JSON202.QuoteId, answer.JSON202.Status)
}
