from bayeslaw.cli import main

main()
