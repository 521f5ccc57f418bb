if __name__ == "__main__":
    from runner.commands.dispatch import main

    main()
