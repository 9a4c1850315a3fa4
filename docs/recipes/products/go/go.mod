module example.jp/rezept

go 1.19
