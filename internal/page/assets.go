package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// AssetsPath is where assets are served, each under the hash of its content: a name never gets another content, so it
// is cached for ever.
const AssetsPath = "/app/assets/"

//go:embed assets
var files embed.FS

// asset is a file that pages load.
type asset struct {
	path, mediaType string
	plain, gzipped  []byte
}

// assets are the stylesheet and the script, each made of the files of its folder in the order of their names, by the
// names that templates use.
var assets = sync.OnceValue(func() map[string]asset {
	all := map[string]asset{}
	for name, kind := range map[string]struct{ folder, mediaType string }{
		"style.css": {"css", "text/css; charset=utf-8"}, "app.js": {"js", "text/javascript; charset=utf-8"},
	} {
		entries, err := files.ReadDir("assets/" + kind.folder)
		if err != nil {
			panic(err) // the files are in the program
		}
		var text bytes.Buffer
		for _, e := range entries {
			content, err := files.ReadFile(path.Join("assets", kind.folder, e.Name()))
			if err != nil {
				panic(err)
			}
			text.Write(content)
			text.WriteByte('\n')
		}
		sum := sha256.Sum256(text.Bytes())
		all[name] = asset{
			path: AssetsPath + hex.EncodeToString(sum[:8]) + "/" + name, mediaType: kind.mediaType,
			plain: text.Bytes(), gzipped: gzipped(text.Bytes()),
		}
	}
	return all
})

// Asset returns the address of an asset by its name, such as "style.css". It panics for any other name.
func Asset(name string) string {
	a, ok := assets()[name]
	if !ok {
		panic("page: there is no asset " + name)
	}
	return a.path
}

// Assets serves what pages load.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, a := range assets() {
			if a.path != r.URL.Path {
				continue
			}
			h := w.Header()
			h.Set("Content-Type", a.mediaType)
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("Vary", "Accept-Encoding")
			body := a.plain
			if takesGzip(r) {
				h.Set("Content-Encoding", "gzip")
				body = a.gzipped
			}
			_, _ = w.Write(body) // the client may be gone
			return
		}
		http.NotFound(w, r)
	})
}

func gzipped(text []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level exists
	_, _ = z.Write(text)                                    // a buffer takes all
	_ = z.Close()
	return out.Bytes()
}

// takesGzip reports whether a client understands gzip.
func takesGzip(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Accept-Encoding"), ","), func(coding string) bool {
		name, parameters, _ := strings.Cut(strings.TrimSpace(coding), ";")
		return (name == "gzip" || name == "*") && strings.ReplaceAll(parameters, " ", "") != "q=0"
	})
}
