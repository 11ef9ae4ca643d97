// Package paper writes documents that people keep and print, as PDF. The same document is the same bytes: nothing in it
// depends on when or where it is written.
package paper

import (
	"bytes"
	"fmt"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// Document is what a paper says, from top to bottom.
type Document struct {
	Title string
	// Under stands below the title: which quote, and of when.
	Under string
	// Made is when what it says came to be. It is in the file, and not shown.
	Made     time.Time
	Sections []Section
}

// Section is a part of a document.
type Section struct {
	Title string
	// Text are paragraphs.
	Text []string
	// Facts are pairs of what and how.
	Facts [][2]string
	// Head and Rows are a table whose last column is an amount; Total is its last row, nil if it has none.
	Head  []string
	Rows  [][]string
	Total []string
}

// The page, in millimeters: Letter, as people in the United States print.
const (
	margin     = 20.0
	width      = 215.9 - 2*margin
	lineHeight = 5.2
)

// face is what the document is set in.
const face = "go"

// Write returns a document as a PDF.
func Write(d Document) ([]byte, error) {
	pdf := fpdf.New("P", "mm", "Letter", "")
	pdf.SetCreationDate(d.Made.UTC())
	pdf.SetModificationDate(d.Made.UTC())
	pdf.SetCatalogSort(true)
	pdf.SetTitle(d.Title, true)
	pdf.SetAuthor("Milepost Insurance", true)
	pdf.SetLang("en-US")
	pdf.SetMargins(margin, margin, margin)
	pdf.SetAutoPageBreak(true, margin)
	pdf.AddUTF8FontFromBytes(face, "", goregular.TTF)
	pdf.AddUTF8FontFromBytes(face, "B", gobold.TTF)
	pdf.AliasNbPages("")
	pdf.SetFooterFunc(func() {
		pdf.SetY(-margin + 6)
		pdf.SetFont(face, "", 8)
		pdf.SetTextColor(90, 90, 90)
		pdf.CellFormat(width/2, 4, legible(d.Under), "", 0, "L", false, 0, "")
		pdf.CellFormat(width/2, 4, fmt.Sprintf("Page %d of {nb}", pdf.PageNo()), "", 0, "R", false, 0, "")
	})
	pdf.AddPage()
	w := writer{pdf}
	w.letterhead()
	w.font("B", 20)
	pdf.MultiCell(width, 9, legible(d.Title), "", "L", false)
	w.font("", 9)
	pdf.SetTextColor(90, 90, 90)
	pdf.MultiCell(width, lineHeight, legible(d.Under), "", "L", false)
	pdf.SetTextColor(0, 0, 0)
	for _, s := range d.Sections {
		w.section(s)
	}
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("paper: %w", err)
	}
	return out.Bytes(), nil
}

type writer struct{ pdf *fpdf.Fpdf }

func (w writer) font(style string, size float64) { w.pdf.SetFont(face, style, size) }

// letterhead is the mark and the name, as on the pages.
func (w writer) letterhead() {
	w.pdf.SetFillColor(0, 112, 74)
	w.pdf.RoundedRect(margin, margin, 7, 9.5, 1.4, "1234", "F")
	w.pdf.SetDrawColor(255, 255, 255)
	w.pdf.SetLineWidth(0.7)
	x, y := margin+1.9, margin+7.0
	for _, to := range [][2]float64{{0, -3.9}, {1.6, 1.9}, {1.6, -1.9}, {0, 3.9}} {
		w.pdf.Line(x, y, x+to[0], y+to[1])
		x, y = x+to[0], y+to[1]
	}
	w.pdf.SetXY(margin+10, margin+1.5)
	w.font("B", 14)
	w.pdf.CellFormat(width-10, 7, "Milepost Insurance", "", 1, "L", false, 0, "")
	w.pdf.SetY(margin + 18)
	w.pdf.SetDrawColor(180, 180, 180)
	w.pdf.SetLineWidth(0.2)
}

func (w writer) section(s Section) {
	_, height := w.pdf.GetPageSize()
	if w.pdf.GetY() > height-margin-30 { // a title does not stand alone
		w.pdf.AddPage()
	}
	w.pdf.Ln(5)
	if s.Title != "" {
		w.font("B", 12)
		w.pdf.MultiCell(width, 6.5, legible(s.Title), "", "L", false)
		w.pdf.Ln(0.8)
	}
	w.font("", 10)
	for _, text := range s.Text {
		w.pdf.MultiCell(width, lineHeight, legible(text), "", "L", false)
		w.pdf.Ln(1.2)
	}
	for _, fact := range s.Facts {
		w.row([]string{fact[0], fact[1]}, []float64{48, width - 48}, "", false)
	}
	if len(s.Rows) == 0 {
		return
	}
	widths := columns(len(s.Rows[0]))
	if s.Head != nil {
		w.row(s.Head, widths, "B", true)
	}
	for _, r := range s.Rows {
		w.row(r, widths, "", true)
	}
	if s.Total != nil {
		w.row(s.Total, widths, "B", true)
	}
}

// columns are the widths of a table: the amount is narrow, the others share the rest.
func columns(n int) []float64 {
	const amount = 28.0
	widths := make([]float64, n)
	for i := range widths {
		widths[i] = (width - amount) / float64(n-1)
	}
	widths[n-1] = amount
	return widths
}

// row writes cells side by side, each as high as the highest, with a line below in a table, whose last column is at the
// right.
func (w writer) row(cells []string, widths []float64, style string, table bool) {
	w.font(style, 9.5)
	high := 0.0
	lines := make([][]string, len(cells))
	for i, text := range cells {
		lines[i] = w.pdf.SplitText(legible(text), widths[i]-2)
		high = max(high, float64(len(lines[i]))*lineHeight)
	}
	_, page := w.pdf.GetPageSize()
	if w.pdf.GetY()+high > page-margin {
		w.pdf.AddPage()
		w.font(style, 9.5)
	}
	x, y := margin, w.pdf.GetY()
	for i, of := range lines {
		align := "L"
		if table && i == len(cells)-1 {
			align = "R"
		}
		for j, line := range of {
			w.pdf.SetXY(x, y+float64(j)*lineHeight)
			w.pdf.CellFormat(widths[i], lineHeight, line, "", 0, align, false, 0, "")
		}
		x += widths[i]
	}
	w.pdf.SetXY(margin, y+high)
	if table {
		w.pdf.Line(margin, y+high+0.4, margin+width, y+high+0.4)
		w.pdf.Ln(1.2)
	}
}

var font = func() *sfnt.Font {
	f, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		panic(err) // it is in the program
	}
	return f
}()

// legible replaces what the font has no glyph for by a sign that shows that something stood there. A name must not lose
// a letter silently.
func legible(text string) string {
	var buffer sfnt.Buffer
	out := make([]rune, 0, len(text))
	for _, c := range text {
		if i, err := font.GlyphIndex(&buffer, c); c != '\n' && (err != nil || i == 0) {
			c = missing
		}
		out = append(out, c)
	}
	return string(out)
}

// missing is shown for a character that the font lacks.
const missing = '□'
