package asl

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"milepost/local/awsapi"
)

const (
	schemaFailed  = "SCHEMA_VALIDATION_FAILED"
	targetMissing = "MISSING_TRANSITION_TARGET"
	duplicateName = "DUPLICATE_STATE_NAME"
	invalidJSON   = "INVALID_JSON_DESCRIPTION"
)

const defaultMaxAttempts = 3

// Compile compiles a definition. A definition that AWS would refuse is a *DefinitionError; one that needs something
// that is not implemented is refused with an *awsapi.Error that names it.
func Compile(text string) (*Machine, error) {
	v, err := Decode(text)
	if strings.TrimSpace(text) == "" {
		return nil, refuse(schemaFailed, "Definition must be a valid JSON object", "")
	}
	if err != nil {
		return nil, refuse(invalidJSON, err.Error(), "")
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, refuse(schemaFailed, "Definition must be a valid JSON object", "")
	}
	c := &compiler{names: map[string]bool{}, distributed: map[string]*State{}}
	o := c.open(fields, "")
	o.string("Version")
	m := o.compileMachine(true)
	m.Distributed = c.distributed
	o.done()
	if c.unsupported != nil {
		return nil, c.unsupported
	}
	if len(c.diagnostics) > 0 {
		return nil, &DefinitionError{Diagnostics: c.diagnostics}
	}
	return m, nil
}

func refuse(code, message, location string) error {
	return &DefinitionError{Diagnostics: []Diagnostic{{code, message, location}}}
}

// compiler collects everything that is wrong with one definition.
type compiler struct {
	diagnostics []Diagnostic
	unsupported error
	names       map[string]bool // of all states, wherever they are nested
	distributed map[string]*State
	inside      bool // a distributed Map state
}

func (c *compiler) report(code, location, message string) {
	c.diagnostics = append(c.diagnostics, Diagnostic{code, message, location})
}

func (c *compiler) unsupport(format string, args ...any) {
	if c.unsupported == nil {
		c.unsupported = awsapi.Unsupported(fmt.Sprintf(format, args...))
	}
}

func (c *compiler) open(fields map[string]any, at string) *object {
	return &object{compiler: c, fields: fields, at: at, seen: map[string]bool{}}
}

// object is an object of the definition that is being read. Every field that is read is recorded, so that done can
// refuse the others.
type object struct {
	*compiler
	fields map[string]any
	at     string
	seen   map[string]bool
}

func (o *object) place(name string) string {
	switch {
	case name != "":
		return o.at + "/" + name
	case o.at == "":
		return "/"
	}
	return o.at
}

func (o *object) fail(name, message string) { o.report(schemaFailed, o.place(name), message) }

func (o *object) has(name string) bool { _, ok := o.fields[name]; return ok }

func (o *object) take(name string) (any, bool) {
	v, ok := o.fields[name]
	o.seen[name] = true
	return v, ok
}

// done refuses the fields that were not read.
func (o *object) done() {
	o.take("Comment")
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		if !o.seen[name] {
			o.fail(name, "Field is not supported")
		}
	}
}

// require reports the fields that are missing.
func (o *object) require(names ...string) {
	missing := slices.DeleteFunc(names, o.has)
	if len(missing) > 0 {
		o.fail("", "These fields are required: ["+strings.Join(missing, ", ")+"]")
	}
}

// exclusive reports when more than one of the fields is there.
func (o *object) exclusive(names ...string) {
	present := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !o.has(n) })
	if len(present) > 1 {
		o.fail("", "Only one of these fields is allowed: ["+strings.Join(present, ", ")+"]")
	}
}

func field[T any](o *object, name, expected string) (T, bool) {
	v, ok := o.take(name)
	t, isT := v.(T)
	if ok && !isT {
		o.fail(name, "Expected value of type "+expected)
	}
	return t, ok && isT
}

func (o *object) string(name string) string {
	s, _ := field[string](o, name, "String")
	return s
}

func (o *object) bool(name string) bool {
	b, _ := field[bool](o, name, "Boolean")
	return b
}

func (o *object) object(name string) *object {
	fields, ok := field[map[string]any](o, name, "Object")
	if !ok {
		return nil
	}
	return o.open(fields, o.place(name))
}

// objects reads a list of objects.
func (o *object) objects(name string) []*object {
	list, _ := field[[]any](o, name, "Array")
	var found []*object
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", o.place(name), i)
		fields, ok := v.(map[string]any)
		if !ok {
			o.report(schemaFailed, at, "Expected value of type Object")
			continue
		}
		found = append(found, o.open(fields, at))
	}
	return found
}

// integer reads a whole number that is at least least.
func (o *object) integer(name string, otherwise, least int64) int64 {
	n, ok := field[json.Number](o, name, "Integer")
	if !ok {
		return otherwise
	}
	v, err := n.Int64()
	if err != nil {
		o.fail(name, "Expected value of type Integer")
	} else if v < least {
		o.fail(name, fmt.Sprintf("Value must be greater than or equal to %d", least))
	}
	return v
}

// path reads a path; for null and for an absent field it returns the given paths.
func (o *object) path(name string, absent *Path) *Path {
	v, ok := o.take(name)
	if !ok {
		return absent
	}
	text, ok := v.(string)
	if !ok {
		o.fail(name, "Value is not a Reference Path: The JSONPath must be a string")
		return absent
	}
	p, err := ParsePath(text)
	if err != nil {
		o.fail(name, "Value is not a valid JSONPath: "+text)
		return absent
	}
	return p
}

// filter reads InputPath or OutputPath, where null means nil.
func (o *object) filter(name string) *Path {
	if v, ok := o.fields[name]; ok && v == nil {
		o.take(name)
		return nil
	}
	return o.path(name, identity)
}

func (o *object) expression(name string) Expression {
	if !o.has(name) {
		return nil
	}
	text := o.string(name)
	e, err := ParseExpression(text)
	if err != nil {
		o.fail(name, "Value is not a valid JSONPath or intrinsic function call: "+text)
	}
	return e
}

func (o *object) template(name string) *Template {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	return compileTemplate(v, func(message string) { o.fail(name, message) })
}

func (o *object) assign() *Template {
	if !o.has("Assign") {
		return nil
	}
	if fields, ok := o.fields["Assign"].(map[string]any); !ok {
		o.fail("Assign", "Expected value of type Object")
	} else if len(fields) == 0 {
		o.take("Assign")
		return nil
	}
	return o.template("Assign")
}

func (o *object) resultPath() *ResultPath {
	v, ok := o.take("ResultPath")
	if !ok {
		return replaceInput
	}
	if v == nil {
		return &ResultPath{discard: true}
	}
	text, _ := v.(string)
	r, err := parseResultPath(text)
	if err != nil {
		o.fail("ResultPath", "Value is not a Reference Path: "+text)
	}
	return r
}

// number reads a whole number of 1 or more that may be given as a path.
func (o *object) number(name string) Number {
	o.exclusive(name, name+"Path")
	n := Number{Field: name, Value: o.integer(name, 0, 1)}
	n.Path = o.path(name+"Path", nil)
	return n
}

func (o *object) queryLanguage() {
	switch language := o.string("QueryLanguage"); language {
	case "", "JSONPath":
	case "JSONata":
		o.unsupport("QueryLanguage JSONata")
	default:
		o.fail("QueryLanguage", "The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]")
	}
}

func (o *object) compileMachine(top bool) *Machine {
	m := &Machine{States: map[string]*State{}}
	o.queryLanguage()
	o.require("States", "StartAt")
	if top {
		m.TimeoutSeconds = o.integer("TimeoutSeconds", 0, 1)
	}
	startAt := o.string("StartAt")
	states := o.object("States")
	if states == nil {
		return m
	}
	names := slices.Sorted(maps.Keys(states.fields))
	for _, name := range names {
		if o.names[name] {
			o.report(duplicateName, states.place(name), "Duplicate State name: "+name)
		}
		o.names[name] = true
		m.States[name] = &State{Name: name}
	}
	if len(names) == 0 {
		states.fail("", "Value cannot be empty")
	}
	if startAt != "" {
		m.Start = o.target(m, "StartAt", startAt)
	}
	for _, name := range names {
		if s := states.object(name); s != nil {
			s.compileState(m, m.States[name])
			s.done()
		}
	}
	if len(o.diagnostics) == 0 {
		o.refuseUnreachable(m, states)
	}
	return m
}

// target finds the state that a field names.
func (o *object) target(m *Machine, field, name string) *State {
	s, ok := m.States[name]
	if !ok {
		o.report(targetMissing, o.place(field), fmt.Sprintf("Missing '%s' target: %s", field, name))
	}
	return s
}

func (o *object) refuseUnreachable(m *Machine, states *object) {
	reached := map[*State]bool{}
	var visit func(s *State)
	visit = func(s *State) {
		if s == nil || reached[s] {
			return
		}
		reached[s] = true
		visit(s.Next)
		for _, c := range s.Catch {
			visit(c.Next)
		}
		if c, ok := s.Body.(*Choice); ok {
			visit(c.Default)
			for _, r := range c.Rules {
				visit(r.Next)
			}
		}
	}
	visit(m.Start)
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		if !reached[m.States[name]] {
			o.report(targetMissing, states.place(name), fmt.Sprintf("State %q is not reachable.", name))
		}
	}
}

var kinds = []Kind{KindTask, KindWait, KindPass, KindSucceed, KindFail, KindChoice, KindParallel, KindMap}

func (o *object) compileState(m *Machine, s *State) {
	o.require("Type")
	s.Kind = Kind(o.string("Type"))
	o.queryLanguage()
	if !slices.Contains(kinds, s.Kind) {
		o.fail("Type", "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]")
		for name := range o.fields {
			o.take(name) // which fields it may have is not known
		}
		return
	}
	s.Input, s.Output, s.Result = identity, identity, replaceInput
	if s.Kind != KindFail {
		s.Input, s.Output = o.filter("InputPath"), o.filter("OutputPath")
		if s.Kind != KindSucceed {
			s.Assign = o.assign()
		}
	}
	switch s.Kind {
	case KindPass, KindTask, KindWait, KindParallel, KindMap:
		o.compileNext(m, s)
	}
	switch s.Kind {
	case KindPass, KindTask, KindParallel, KindMap:
		s.Result = o.resultPath()
		s.Parameters = o.template("Parameters")
	}
	switch s.Kind {
	case KindTask, KindParallel, KindMap:
		s.Selector = o.template("ResultSelector")
		o.compileRetry(s)
		o.compileCatch(m, s)
	}
	switch s.Kind {
	case KindPass:
		if v, ok := o.take("Result"); ok {
			s.Body = shared(v)
		}
	case KindTask:
		s.Body = o.compileTask()
	case KindChoice:
		s.Body = o.compileChoice(m)
	case KindWait:
		s.Body = o.compileWait()
	case KindFail:
		s.Body = o.compileFail()
	case KindParallel:
		s.Body = o.compileParallel()
	case KindMap:
		s.Body = o.compileMap(s)
	}
}

func (o *object) compileNext(m *Machine, s *State) {
	end := o.bool("End")
	next := o.string("Next")
	switch {
	case next != "" && end:
		o.fail("", "Only one of these fields is allowed: [End, Next]")
	case next != "":
		s.Next = o.target(m, "Next", next)
	case !end:
		o.fail("", "One of these fields is required: [End, Next]")
	}
}

func (o *object) errorEquals() []string {
	o.require("ErrorEquals")
	list, _ := field[[]any](o, "ErrorEquals", "Array")
	var names []string
	for _, v := range list {
		name, ok := v.(string)
		if !ok {
			o.fail("ErrorEquals", "Expected value of type String")
		}
		names = append(names, name)
	}
	if o.has("ErrorEquals") && len(names) == 0 {
		o.fail("ErrorEquals", "Value cannot be empty")
	}
	if len(names) > 1 && slices.Contains(names, "States.ALL") {
		o.fail("ErrorEquals", "States.ALL must appear alone")
	}
	return names
}

func (o *object) compileRetry(s *State) {
	for _, r := range o.objects("Retry") {
		retrier := Retrier{
			Errors:          r.errorEquals(),
			IntervalSeconds: r.integer("IntervalSeconds", 1, 1),
			MaxAttempts:     r.integer("MaxAttempts", defaultMaxAttempts, 0),
			BackoffRate:     2,
			MaxDelaySeconds: r.integer("MaxDelaySeconds", 0, 1),
		}
		if n, ok := field[json.Number](r, "BackoffRate", "Float"); ok {
			rate, err := n.Float64()
			if err != nil || rate < 1 {
				r.fail("BackoffRate", "Value must be greater than or equal to 1.0")
			}
			retrier.BackoffRate = rate
		}
		switch strategy := r.string("JitterStrategy"); strategy {
		case "", "NONE":
		case "FULL":
			retrier.FullJitter = true
		default:
			r.fail("JitterStrategy", "The field 'JitterStrategy' should have one of these values: [FULL, NONE]")
		}
		r.done()
		s.Retry = append(s.Retry, retrier)
	}
}

func (o *object) compileCatch(m *Machine, s *State) {
	for _, c := range o.objects("Catch") {
		c.require("Next")
		catcher := Catcher{Errors: c.errorEquals(), Result: c.resultPath(), Assign: c.assign()}
		if next := c.string("Next"); next != "" {
			catcher.Next = c.target(m, "Next", next)
		}
		c.done()
		s.Catch = append(s.Catch, catcher)
	}
}

// integrations are the actions of the service integrations that AWS has an optimized form of and
// that a task runner may be given.
var integrations = map[string][]string{
	"lambda":   {"invoke"},
	"sqs":      {"sendMessage"},
	"sns":      {"publish"},
	"events":   {"putEvents"},
	"dynamodb": {"getItem", "putItem", "updateItem", "deleteItem"},
	"states":   {"startExecution"},
}

func (o *object) compileTask() *Task {
	o.require("Resource")
	t := &Task{Resource: o.string("Resource"), Timeout: o.number("TimeoutSeconds"), Heartbeat: o.number("HeartbeatSeconds")}
	if t.Timeout.Value > 0 && t.Heartbeat.Value >= t.Timeout.Value {
		o.fail("", "HeartbeatSeconds must be smaller than TimeoutSeconds")
	}
	if o.has("Credentials") {
		o.take("Credentials")
		o.unsupport("the Credentials of a Task state")
	}
	if t.Resource == "" {
		return t
	}
	if err := o.resource(t); err != nil {
		o.fail("Resource", err.Error())
	}
	return t
}

// resource reads a Task's Resource.
func (o *object) resource(t *Task) error {
	unknown := fmt.Errorf("The resource provided %s is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.", t.Resource) //nolint:staticcheck // ST1005: AWS's words
	parts := strings.Split(t.Resource, ":")
	if len(parts) < 6 || parts[0] != "arn" {
		return unknown
	}
	switch {
	case parts[2] == "lambda" && len(parts) >= 7 && parts[5] == "function":
		t.Service = "lambda"
		return nil
	case parts[2] == "states" && parts[5] == "activity":
		o.unsupport("activities (%s)", t.Resource)
		return nil
	case parts[2] != "states" || parts[3] != "" || len(parts) < 7:
		return unknown
	case parts[5] == "aws-sdk":
		o.unsupport("AWS SDK service integrations (%s)", t.Resource)
		return nil
	}
	action, pattern, _ := strings.Cut(strings.Join(parts[6:], ":"), ".")
	actions, known := integrations[parts[5]]
	if !known {
		o.unsupport("the service integration %s", t.Resource)
		return nil
	}
	if !slices.Contains(actions, action) {
		return unknown
	}
	t.Service, t.Action = parts[5], action
	switch pattern {
	case "":
	case "waitForTaskToken":
		t.WaitForToken = true
	case "sync", "sync:2":
		o.unsupport("the integration pattern .%s (%s)", pattern, t.Resource)
	default:
		return unknown
	}
	return nil
}

func (o *object) compileChoice(m *Machine) *Choice {
	o.require("Choices")
	c := &Choice{}
	for _, r := range o.objects("Choices") {
		r.require("Next")
		rule := Rule{Assign: r.assign(), condition: r.compileCondition()}
		if next := r.string("Next"); next != "" {
			rule.Next = r.target(m, "Next", next)
		}
		r.done()
		c.Rules = append(c.Rules, rule)
	}
	if o.has("Choices") && len(c.Rules) == 0 {
		o.fail("Choices", "Value cannot be empty")
	}
	if name := o.string("Default"); name != "" {
		c.Default = o.target(m, "Default", name)
	}
	return c
}

func (o *object) compileWait() *Wait {
	o.exclusive("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
	w := &Wait{Timestamp: o.string("Timestamp"), SecondsPath: o.path("SecondsPath", nil), TimestampPath: o.path("TimestampPath", nil)}
	if o.has("Seconds") {
		seconds := o.integer("Seconds", 0, 0)
		w.Seconds = &seconds
	}
	if w.Timestamp != "" {
		if _, err := ParseTimestamp(w.Timestamp); err != nil {
			o.fail("Timestamp", "String does not match RFC3339 timestamp")
		}
	}
	if w.Seconds == nil && w.SecondsPath == nil && w.Timestamp == "" && w.TimestampPath == nil {
		o.fail("", "One of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]")
	}
	return w
}

func (o *object) compileFail() *Fail {
	o.exclusive("Error", "ErrorPath")
	o.exclusive("Cause", "CausePath")
	f := &Fail{ErrorPath: o.expression("ErrorPath"), CausePath: o.expression("CausePath")}
	if o.has("Error") {
		name := o.string("Error")
		f.Error = &name
	}
	if o.has("Cause") {
		cause := o.string("Cause")
		f.Cause = &cause
	}
	return f
}

func (o *object) compileParallel() *Parallel {
	o.require("Branches")
	p := &Parallel{}
	for _, b := range o.objects("Branches") {
		p.Branches = append(p.Branches, b.compileMachine(false))
		b.done()
	}
	if o.has("Branches") && len(p.Branches) == 0 {
		o.fail("Branches", "Value cannot be empty")
	}
	return p
}

func (o *object) compileMap(s *State) *Map {
	o.exclusive("Iterator", "ItemProcessor")
	o.exclusive("Parameters", "ItemSelector")
	o.exclusive("MaxConcurrency", "MaxConcurrencyPath")
	m := &Map{
		Items:              o.path("ItemsPath", identity),
		MaxConcurrency:     o.integer("MaxConcurrency", 0, 0),
		MaxConcurrencyPath: o.path("MaxConcurrencyPath", nil),
	}
	if o.has("ItemSelector") {
		s.Parameters = o.template("ItemSelector")
	}
	processor := o.object("ItemProcessor")
	if processor == nil {
		processor = o.object("Iterator")
	}
	if processor == nil {
		o.require("ItemProcessor")
		return m
	}
	if config := processor.object("ProcessorConfig"); config != nil {
		switch mode := config.string("Mode"); mode {
		case "", "INLINE":
		case "DISTRIBUTED":
			m.Distributed = o.compileDistributed(s, config)
		default:
			config.fail("Mode", "The field 'Mode' should have one of these values: [INLINE, DISTRIBUTED]")
		}
		config.done()
	}
	outside := o.inside
	o.compiler.inside = outside || m.Distributed != nil
	m.Processor = processor.compileMachine(false)
	o.compiler.inside = outside
	processor.done()
	return m
}

// maxLabel is how many characters the label of a distributed Map state may have.
const maxLabel = 40

func (o *object) compileDistributed(s *State, config *object) *Distributed {
	if o.inside {
		o.unsupport("a distributed Map state inside another (%s)", o.at)
	}
	config.require("ExecutionType")
	switch kind := config.string("ExecutionType"); kind {
	case "", "STANDARD":
	case "EXPRESS":
		o.unsupport("distributed Map states with the ExecutionType EXPRESS (%s)", o.at)
	default:
		config.fail("ExecutionType", "The field 'ExecutionType' should have one of these values: [STANDARD, EXPRESS]")
	}
	for _, name := range []string{"ItemReader", "ResultWriter"} {
		if o.has(name) {
			o.take(name)
			o.unsupport("the %s of distributed Map states (%s)", name, o.at)
		}
	}
	d := &Distributed{
		Label: o.string("Label"), Batcher: o.compileBatcher(),
		ToleratedCount:      o.tolerance("ToleratedFailureCount", math.MaxInt64),
		ToleratedPercentage: o.tolerance("ToleratedFailurePercentage", 100),
	}
	if len(d.Label) > maxLabel {
		o.fail("Label", fmt.Sprintf("String cannot be longer than %d characters", maxLabel))
	}
	if strings.ContainsAny(d.Label, " \t\n<>{}[]?*\"#%\\^|~`$&,;:/") {
		o.fail("Label", "String contains characters that are not allowed")
	}
	if d.Label == "" {
		sum := sha256.Sum256([]byte(s.Name))
		d.Label = hex.EncodeToString(sum[:16])
	}
	if o.distributed[d.Label] != nil {
		o.fail("Label", "Duplicate label: "+d.Label)
	}
	o.distributed[d.Label] = s
	return d
}

func (o *object) compileBatcher() *Batcher {
	batcher := o.object("ItemBatcher")
	if batcher == nil {
		return nil
	}
	b := &Batcher{Input: batcher.template("BatchInput"), MaxItems: batcher.number("MaxItemsPerBatch"), MaxBytes: batcher.number("MaxInputBytesPerBatch")}
	if b.MaxItems == (Number{Field: b.MaxItems.Field}) && b.MaxBytes == (Number{Field: b.MaxBytes.Field}) {
		batcher.fail("", "One of these fields is required: [MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]")
	}
	batcher.done()
	return b
}

// tolerance reads how much may fail, from 0 to most.
func (o *object) tolerance(name string, most float64) Tolerance {
	o.exclusive(name, name+"Path")
	t := Tolerance{Field: name, Path: o.path(name+"Path", nil)}
	n, ok := field[json.Number](o, name, "Number")
	if !ok {
		return t
	}
	v, err := n.Float64()
	if err != nil || v < 0 || v > most {
		o.fail(name, fmt.Sprintf("Value must be between 0 and %v", most))
	}
	t.Value = &v
	return t
}
