package dynamodb

// keyRange returns the range of encoded keys that a key condition describes: the partition key equals a value and, at
// most, one condition on the sort key.
func keyRange(c condition, schema *keySchema, e *environment) (span, error) {
	conditions, err := conjuncts(c)
	if err != nil {
		return span{}, err
	}
	byKey := map[string]keyTerm{}
	for _, c := range conditions {
		term, err := newKeyTerm(c, e)
		if err != nil {
			return span{}, err
		}
		if _, twice := byKey[term.key]; twice {
			return span{}, validationf("KeyConditionExpressions must only contain one condition per key")
		}
		byKey[term.key] = term
	}
	partition, ok := byKey[schema.partition.name]
	if !ok {
		return span{}, validationf("Query condition missed key schema element: %s", schema.partition.name)
	}
	if partition.op != "=" {
		return span{}, validationf("Query key condition not supported")
	}
	delete(byKey, schema.partition.name)
	if err := partition.checkValues(schema.partition, false); err != nil {
		return span{}, err
	}
	prefix := string(appendPartition(nil, partition.values[0]))
	if len(byKey) == 0 {
		return span{prefix, afterPrefix(prefix)}, nil
	}
	if schema.sort.name == "" {
		return span{}, validationf("Query key condition not supported")
	}
	sort, ok := byKey[schema.sort.name]
	if !ok || len(byKey) > 1 {
		return span{}, validationf("Query condition missed key schema element: %s", schema.sort.name)
	}
	if err := sort.checkValues(schema.sort, true); err != nil {
		return span{}, err
	}
	return sort.within(prefix)
}

// conjuncts splits what AND joins.
func conjuncts(c condition) ([]condition, error) {
	refuse := func(operator string) ([]condition, error) {
		return nil, validationf("Invalid operator used in KeyConditionExpression: %s", operator)
	}
	switch c := c.(type) {
	case and:
		left, err := conjuncts(c.left)
		if err != nil {
			return nil, err
		}
		right, err := conjuncts(c.right)
		return append(left, right...), err
	case or:
		return refuse("OR")
	case not:
		if _, isNotExists := c.inner.(exists); isNotExists {
			return refuse("attribute_not_exists")
		}
		return refuse("NOT")
	case in:
		return refuse("IN")
	case exists:
		return refuse("attribute_exists")
	case hasType:
		return refuse("attribute_type")
	case contains:
		return refuse("contains")
	case comparison:
		if c.op == "<>" {
			return refuse("<>")
		}
	}
	return []condition{c}, nil
}

// keyTerm is one condition on one key attribute.
type keyTerm struct {
	key    string
	op     string // a comparison operator, BETWEEN or begins_with
	values []value
}

func newKeyTerm(c condition, e *environment) (keyTerm, error) {
	var at operand
	var values []operand
	t := keyTerm{}
	switch c := c.(type) {
	case comparison:
		t.op, at, values = c.op, c.left, []operand{c.right}
		if _, reversed := at.(valueRef); reversed {
			at, values = c.right, []operand{c.left}
			t.op = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}[c.op]
		}
	case between:
		t.op, at, values = "BETWEEN", c.operand, []operand{c.low, c.high}
	case beginsWith:
		t.op, at, values = "begins_with", c.operand, []operand{c.prefix}
	}
	p, ok := at.(path)
	for _, o := range append(values, at) {
		if _, isSize := o.(sizeOf); isSize {
			return t, validationf("KeyConditionExpressions cannot contain nested operations")
		}
	}
	switch {
	case !ok:
		return t, validationf("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", t.op)
	case len(p) > 1:
		return t, validationf("Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes")
	}
	t.key = e.name(p[0].name)
	for _, o := range values {
		v, ok := literal(e, o)
		if !ok {
			return t, validationf("Invalid condition in KeyConditionExpression: %s operator must have a value as its second operand", t.op)
		}
		t.values = append(t.values, v)
	}
	return t, nil
}

func (t *keyTerm) checkValues(at keyAttribute, isSort bool) error {
	for _, v := range t.values {
		switch {
		case v.kind != at.kind:
			return validationf("One or more parameter values were invalid: Condition parameter type does not match schema type")
		case v.text == "":
			return validationf("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s",
				emptyName[v.kind], at.name)
		}
		if err := checkKeySize(v, isSort); err != nil {
			return err
		}
	}
	if t.op == "begins_with" && at.kind == kindN {
		return validationf("Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N")
	}
	return nil
}

// within returns the range of a sort key condition in a partition.
func (t *keyTerm) within(prefix string) (span, error) {
	at := func(v value) string { return string(appendKeyPart([]byte(prefix), v, true)) }
	first := at(t.values[0])
	switch t.op {
	case "=":
		return span{first, afterPrefix(first)}, nil
	case "<":
		return span{prefix, first}, nil
	case "<=":
		return span{prefix, afterPrefix(first)}, nil
	case ">":
		return span{afterPrefix(first), afterPrefix(prefix)}, nil
	case ">=":
		return span{first, afterPrefix(prefix)}, nil
	case "BETWEEN":
		return span{first, afterPrefix(at(t.values[1]))}, nil
	default: // begins_with
		start := string(appendKeyPart([]byte(prefix), t.values[0], false))
		return span{start, afterPrefix(start)}, nil
	}
}
