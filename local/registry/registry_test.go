package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/schemas"
	"github.com/aws/aws-sdk-go-v2/service/schemas/types"
	"github.com/aws/smithy-go"

	"milepost/internal/stacktest"
	"milepost/local/stack"
)

func TestTheTemplatesSchemasAreRead(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	c := schemas.NewFromConfig(s.Config())
	all, err := c.ListRegistries(t.Context(), &schemas.ListRegistriesInput{Scope: aws.String("LOCAL")})
	if err != nil || len(all.Registries) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	name := all.Registries[0].RegistryName
	registry, err := c.DescribeRegistry(t.Context(), &schemas.DescribeRegistryInput{RegistryName: name})
	if err != nil || aws.ToString(registry.RegistryArn) != "arn:aws:schemas:us-east-1:000000000000:registry/"+aws.ToString(name) || aws.ToString(registry.Description) == "" {
		t.Errorf("%+v, %v", registry, err)
	}
	seen := map[string]bool{}
	for pages := schemas.NewListSchemasPaginator(c, &schemas.ListSchemasInput{RegistryName: name, Limit: aws.Int32(5)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil || len(page.Schemas) > 5 {
			t.Fatalf("%d schemas, %v", len(page.Schemas), err)
		}
		for _, one := range page.Schemas {
			seen[aws.ToString(one.SchemaName)] = true
			if aws.ToInt64(one.VersionCount) != 1 || one.LastModified == nil {
				t.Errorf("%+v", one)
			}
		}
	}
	const event = "milepost.quote@ConditionWaived"
	if len(seen) < 6 || !seen[event] {
		t.Errorf("seen %v", seen)
	}
	one, err := c.DescribeSchema(t.Context(), &schemas.DescribeSchemaInput{RegistryName: name, SchemaName: aws.String(event)})
	if err != nil || aws.ToString(one.SchemaVersion) != "1" || aws.ToString(one.Type) != "JSONSchemaDraft4" || !json.Valid([]byte(aws.ToString(one.Content))) ||
		aws.ToString(one.SchemaArn) != "arn:aws:schemas:us-east-1:000000000000:schema/"+aws.ToString(name)+"/"+event {
		t.Errorf("%+v, %v", one, err)
	}
	found, err := c.SearchSchemas(t.Context(), &schemas.SearchSchemasInput{RegistryName: name, Keywords: aws.String("conditionwaived underwriter")})
	if err != nil || len(found.Schemas) != 1 || aws.ToString(found.Schemas[0].SchemaName) != event || len(found.Schemas[0].SchemaVersions) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	begun, err := c.ListSchemas(t.Context(), &schemas.ListSchemasInput{RegistryName: name, SchemaNamePrefix: aws.String("milepost.quote@Cond")})
	if err != nil || len(begun.Schemas) != 1 {
		t.Errorf("%+v, %v", begun, err)
	}
	versions, err := c.ListSchemaVersions(t.Context(), &schemas.ListSchemaVersionsInput{RegistryName: name, SchemaName: aws.String(event)})
	if err != nil || len(versions.SchemaVersions) != 1 {
		t.Errorf("%+v, %v", versions, err)
	}
	for _, in := range []*schemas.ListRegistriesInput{{Scope: aws.String("AWS")}, {RegistryNamePrefix: aws.String("absent")}} {
		if none, err := c.ListRegistries(t.Context(), in); err != nil || len(none.Registries) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
	}
}

func TestWhatTheRegistryRefuses(t *testing.T) {
	t.Parallel()
	s := stacktest.Open(t, nil)
	c := schemas.NewFromConfig(s.Config())
	all, err := c.ListRegistries(t.Context(), &schemas.ListRegistriesInput{})
	if err != nil {
		t.Fatal(err)
	}
	name, absent := all.Registries[0].RegistryName, aws.String("absent")
	_, registry := c.DescribeRegistry(t.Context(), &schemas.DescribeRegistryInput{RegistryName: absent})
	_, list := c.ListSchemas(t.Context(), &schemas.ListSchemasInput{RegistryName: absent})
	_, search := c.SearchSchemas(t.Context(), &schemas.SearchSchemasInput{RegistryName: absent, Keywords: aws.String("a")})
	_, schema := c.DescribeSchema(t.Context(), &schemas.DescribeSchemaInput{RegistryName: name, SchemaName: absent})
	_, version := c.DescribeSchema(t.Context(), &schemas.DescribeSchemaInput{RegistryName: name, SchemaName: aws.String("milepost.quote@ConditionWaived"), SchemaVersion: aws.String("2")})
	for _, err := range []error{list, search} { // the model names no such error of these
		if answer, ok := errors.AsType[smithy.APIError](err); !ok || answer.ErrorCode() != "NotFoundException" {
			t.Errorf("what is not there: %v", err)
		}
	}
	for _, err := range []error{registry, schema, version} {
		if missing, ok := errors.AsType[*types.NotFoundException](err); !ok || aws.ToString(missing.Code) != "NotFound" {
			t.Errorf("what is not there: %v", err)
		}
	}
	_, scope := c.ListRegistries(t.Context(), &schemas.ListRegistriesInput{Scope: absent})
	_, limit := c.ListRegistries(t.Context(), &schemas.ListRegistriesInput{Limit: aws.Int32(0)})
	_, token := c.ListRegistries(t.Context(), &schemas.ListRegistriesInput{NextToken: aws.String("-1")})
	_, words := c.SearchSchemas(t.Context(), &schemas.SearchSchemasInput{RegistryName: name, Keywords: aws.String(" ")})
	for _, err := range []error{scope, limit, token, words} {
		if _, ok := errors.AsType[*types.BadRequestException](err); !ok {
			t.Errorf("a bad request: %v", err)
		}
	}
	if _, err := c.DeleteRegistry(t.Context(), &schemas.DeleteRegistryInput{RegistryName: name}); err == nil || !strings.Contains(err.Error(), "DELETE /v1/registries/name/") {
		t.Errorf("a change: %v", err)
	}
	_, err = schemas.NewFromConfig(s.Function("quotes").AWS).DescribeSchema(t.Context(), &schemas.DescribeSchemaInput{RegistryName: name, SchemaName: absent})
	if _, ok := errors.AsType[*types.ForbiddenException](err); !ok {
		t.Errorf("a function: %v", err)
	}
	stacktest.Denied(t, s.Stack, stack.Denial{Caller: "QuotesFunctionRole", Action: "schemas:DescribeSchema",
		Resource: "arn:aws:schemas:us-east-1:000000000000:schema/" + aws.ToString(name) + "/absent"})
}
