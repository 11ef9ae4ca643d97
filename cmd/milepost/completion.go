package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd lets a shell complete command lines of this program.
type completionCmd struct {
	Shell string   `arg:"" enum:"bash,zsh,fish,words" help:"The shell: bash, zsh or fish."`
	Words []string `arg:"" optional:"" passthrough:"" hidden:"" help:"What stands in the line so far; with words in place of a shell, as the scripts call it."`
}

// Help says where the script goes.
func (*completionCmd) Help() string {
	return `It prints a script for the shell, which asks this program for what may come next. In bash:

  milepost completion bash > ~/.local/share/bash-completion/completions/milepost

in zsh "source <(milepost completion zsh)", and in fish "milepost completion fish | source".`
}

// scripts ask for the words that may come next, the last of which is begun or empty.
var scripts = map[string]string{
	"bash": `_milepost() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$(milepost completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _milepost milepost
`,
	"zsh": `_milepost() {
  compadd -- ${(f)"$(milepost completion words -- ${words[2,CURRENT]} 2>/dev/null)"} || _files
}
compdef _milepost milepost
`,
	"fish": `complete -c milepost -a '(milepost completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

// Run prints the script, or the words.
func (c *completionCmd) Run(s streams, parser *kong.Kong) error {
	if script, ok := scripts[c.Shell]; ok {
		_, err := fmt.Fprint(s.out, script)
		return err
	}
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, word := range next(parser.Model.Node, words) {
		fmt.Fprintln(s.out, word)
	}
	return nil
}

// next are the words with which a command line may continue, the last word of which is begun or empty.
func next(at *kong.Node, words []string) (all []string) {
	begun, before := "", ""
	if len(words) > 0 {
		begun, words = words[len(words)-1], words[:len(words)-1]
	}
	for _, word := range words {
		before = word
		if i := slices.IndexFunc(at.Children, func(n *kong.Node) bool { return n.Name == word }); i >= 0 {
			at = at.Children[i]
		}
	}
	for n := at; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if before == "--"+f.Name && !f.IsBool() { // it wants its value
				return begins(f.EnumSlice(), begun)
			}
			if !f.Hidden {
				all = append(all, "--"+f.Name)
			}
		}
	}
	for _, child := range at.Children {
		if !child.Hidden {
			all = append(all, child.Name)
		}
	}
	for _, p := range at.Positional {
		all = append(all, p.EnumSlice()...)
	}
	slices.Sort(all)
	return begins(slices.Compact(all), begun)
}

func begins(words []string, begun string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" || !strings.HasPrefix(w, begun) })
}
