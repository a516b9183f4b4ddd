"""SE-Bench as its authors published it: their files, their package, the decisions of their grader.

    files      api_doc.jsonl and rows → names, documentation, typed rows; what is wrong with them, named
    script     a response → the program that the published evaluation would run
    checks     what is decided before it runs: does it use the package, does it import NumPy
    runtime    what runs it, in the sandbox: the package, and a main module
    equality   printed results against the printed truth
    grading    all of that in the published order: verdicts with a code from 0 to 4
    strict     the same rows for the strict grader; `truth` reads what was printed
    compare    where the two graders disagree, and why
    domain     tasks from these files; `prompts` says what they look like

Facts: arXiv 2602.04811 and github.com/thunlp/SE-Bench (MIT). Nothing here is that project's code.
"""
