package main

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	_ "modernc.org/sqlite"
)

// source is the part of the database that decoding needs, with lookups resolved to text.
type source struct {
	wmis        []wmi
	links       map[int][]link    // by WMI id
	makesOf     map[int][]int     // make ids by WMI id, ascending
	makes       map[int]string    // upper case, by make id
	rows        map[int][]pattern // by schema id
	engines     []engineFact      // by lower-case name
	newest      time.Time         // of NHTSA's rows
	dangling    int               // pattern rows whose value is in no lookup table
	community   int               // pattern rows that NHTSA did not make
	undecoded   int               // pattern rows of elements that are private or never decoded
	makeOfModel map[string]int    // make id by model id
}

type wmi struct {
	id                     int
	code, manufacturer     string
	vehicleType, truckType int
}

// link says that a schema holds for a WMI from one model year to another; to is 0 if it is open.
type link struct{ schema, from, to int }

// value is what a pattern says: a text for an element. attribute is its id in the element's lookup table, or the text
// itself; it distinguishes models of the same name.
type value struct {
	element         int
	attribute, text string
}

type pattern struct {
	id      int
	keys    string
	value   value
	changed time.Time
}

type engineFact struct {
	engine string
	value  value
}

// lookupTables names the table of each element that patterns have as an id. Every other element is text.
var lookupTables = map[int]string{
	2: "BatteryType", 5: "BodyStyle", 15: "DriveType", 24: "FuelType", 25: "GrossVehicleWeightRating",
	28: "Model", 42: "BrakeSystem", 62: "ValvetrainDesign", 64: "EngineConfiguration", 66: "FuelType",
	67: "FuelDeliveryType", 75: "Country", 122: "CoolingType", 126: "ElectrificationLevel",
	127: "ChargerLevel", 135: "Turbo", 190: "GrossVehicleWeightRating",
}

// model is the element that names the model, and so the make.
const model = 28

func load(path string) (*source, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return nil, err
	}
	defer db.Close()

	s := &source{links: map[int][]link{}, makesOf: map[int][]int{}, makes: map[int]string{},
		rows: map[int][]pattern{}, makeOfModel: map[string]int{}}
	lookups, err := loadLookups(db)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return s.loadWMIs(db) },
		func() error { return s.loadMakes(db) },
		func() error { return s.loadPatterns(db, lookups) },
		func() error { return s.loadEngines(db, lookups) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// loadLookups checks lookupTables against the database and returns texts by element and id.
func loadLookups(db *sql.DB) (map[int]map[string]string, error) {
	err := query(db, `SELECT DISTINCT e.Id, coalesce(e.LookupTable, '') FROM Element e
		WHERE e.Id IN (SELECT ElementId FROM Pattern UNION SELECT ElementId FROM EngineModelPattern)`,
		func(scan scanner) error {
			var element int
			var table string
			if err := scan(&element, &table); err != nil {
				return err
			}
			if lookupTables[element] != table {
				return fmt.Errorf("element %d looks up %q, not %q", element, table, lookupTables[element])
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	lookups := map[int]map[string]string{}
	for element, table := range lookupTables {
		lookups[element] = map[string]string{}
		err := query(db, "SELECT CAST(Id AS TEXT), Name FROM "+table, func(scan scanner) error {
			var id, name string
			err := scan(&id, &name)
			lookups[element][id] = oneLine(name)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return lookups, nil
}

// loadWMIs reads the WMIs and their links. A WMI without a publication date counts as public.
func (s *source) loadWMIs(db *sql.DB) error {
	err := query(db, `SELECT w.Id, w.Wmi, m.Name, w.VehicleTypeId, coalesce(w.TruckTypeId, 0)
		FROM Wmi w JOIN Manufacturer m ON m.Id = w.ManufacturerId ORDER BY w.Wmi`, func(scan scanner) error {
		var w wmi
		err := scan(&w.id, &w.code, &w.manufacturer, &w.vehicleType, &w.truckType)
		w.manufacturer = strings.ToUpper(oneLine(w.manufacturer))
		s.wmis = append(s.wmis, w)
		return err
	})
	if err != nil {
		return err
	}
	return query(db, `SELECT l.WmiId, l.VinSchemaId, l.YearFrom, coalesce(l.YearTo, 0)
		FROM Wmi_VinSchema l JOIN VinSchema v ON v.Id = l.VinSchemaId
		WHERE coalesce(v.TobeQCed, 0) = 0`, func(scan scanner) error {
		var id int
		var l link
		err := scan(&id, &l.schema, &l.from, &l.to)
		s.links[id] = append(s.links[id], l)
		return err
	})
}

func (s *source) loadMakes(db *sql.DB) error {
	err := query(db, "SELECT Id, Name FROM Make", func(scan scanner) error {
		var id int
		var name string
		err := scan(&id, &name)
		s.makes[id] = strings.ToUpper(oneLine(name))
		return err
	})
	if err != nil {
		return err
	}
	err = query(db, "SELECT WmiId, MakeId FROM Wmi_Make ORDER BY WmiId, MakeId", func(scan scanner) error {
		var wmiID, makeID int
		err := scan(&wmiID, &makeID)
		s.makesOf[wmiID] = append(s.makesOf[wmiID], makeID)
		return err
	})
	if err != nil {
		return err
	}
	return query(db, "SELECT CAST(ModelId AS TEXT), MakeId FROM Make_Model", func(scan scanner) error {
		var modelID string
		var makeID int
		err := scan(&modelID, &makeID)
		s.makeOfModel[modelID] = makeID
		return err
	})
}

func (s *source) loadPatterns(db *sql.DB, lookups map[int]map[string]string) error {
	return query(db, `SELECT p.Id, p.VinSchemaId, upper(p.Keys), p.ElementId, p.AttributeId,
			coalesce(p.UpdatedOn, p.CreatedOn), coalesce(v.Notes, '') = 'Community contribution',
			e.Decode IS NULL OR coalesce(e.IsPrivate, 0) = 1 OR e.Id IN (26, 27, 29, 39)
		FROM Pattern p JOIN Element e ON e.Id = p.ElementId JOIN VinSchema v ON v.Id = p.VinSchemaId`,
		func(scan scanner) error {
			var p pattern
			var schema int
			var changed string
			var community, undecoded bool
			err := scan(&p.id, &schema, &p.keys, &p.value.element, &p.value.attribute, &changed, &community, &undecoded)
			if err != nil {
				return err
			}
			if undecoded {
				s.undecoded++
				return nil
			}
			if !resolve(&p.value, lookups) {
				s.dangling++
				return nil
			}
			if p.changed, err = parseTime(changed); err != nil {
				return err
			}
			if community {
				s.community++
			} else if p.changed.After(s.newest) {
				s.newest = p.changed
			}
			s.rows[schema] = append(s.rows[schema], p)
			return nil
		})
}

func (s *source) loadEngines(db *sql.DB, lookups map[int]map[string]string) error {
	return query(db, `SELECT m.Name, p.ElementId, p.AttributeId
		FROM EngineModelPattern p JOIN EngineModel m ON m.Id = p.EngineModelId 
		ORDER BY coalesce(p.UpdatedOn, p.CreatedOn) DESC, p.Id`,
		func(scan scanner) error {
			var f engineFact
			if err := scan(&f.engine, &f.value.element, &f.value.attribute); err != nil {
				return err
			}
			f.engine = strings.ToLower(strings.TrimSpace(f.engine))
			if !resolve(&f.value, lookups) {
				return fmt.Errorf("engine %q: element %d has no value %q", f.engine, f.value.element, f.value.attribute)
			}
			s.engines = append(s.engines, f)
			return nil
		})
}

// resolve fills in the text of a value and reports whether there is one.
func resolve(v *value, lookups map[int]map[string]string) bool {
	table, ok := lookups[v.element]
	if !ok {
		v.text = oneLine(v.attribute)
		return true
	}
	v.text, ok = table[v.attribute]
	return ok
}

// oneLine puts a space in place of each line break and tab, as vPIC's own output does.
func oneLine(text string) string {
	return strings.NewReplacer("\r", " ", "\n", " ", "\t", " ").Replace(text)
}

// parseTime reads NHTSA's dates and those of the community rows.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSuffix(strings.Replace(text, "T", " ", 1), "Z")
	return time.Parse("2006-01-02 15:04:05", text)
}

type scanner func(dest ...any) error

// query calls row for each row of a query.
func query(db *sql.DB, text string, row func(scanner) error) error {
	rows, err := db.Query(text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
